"""The bodies of tokenize and detokenize, in and out."""
