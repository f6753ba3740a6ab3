//! The specification of a column call, as Python writes it: JSON text that names a key, never holds one.

use crate::column::{
    Characters, CheckDigit, Fallback, Integers, LONGEST_TEXT, Literals, Method, Normalization, OnInvalid, Output, Plan,
    Rekey, Sealed, Shape, Step, Treatment, TweakColumn, TweakRule, outcome_type, threads,
};
use crate::failure::{Code, Failure};
use crate::kernel;
use crate::keys::{KeyReference, registry, usage};
use crate::proof::Side;
use arrow_array::ArrayRef;
use arrow_schema::{DataType, Field};
use serde::Deserialize;
use tokenkit_algorithms::derive::{Purpose, is_valid_domain};
use tokenkit_algorithms::ff1::{Direction, DomainMinimum};

/// A column call's specification.
#[derive(Deserialize, Clone)]
#[serde(deny_unknown_fields)]
pub struct Specification {
    operation: Operation,
    key: Key,
    domain: String,
    method: MethodSpecification,
    on_invalid: OnInvalidSpecification,
    output: OutputSpecification,
    #[serde(default)]
    tweak_column: bool,
    #[serde(default)]
    literals: Vec<String>,
    #[serde(default)]
    normalize: Vec<StepSpecification>,
    #[serde(default)]
    width: Option<usize>,
    #[serde(default)]
    token_type: TokenTypeSpecification,
    #[serde(default)]
    value_type: Option<ValueTypeSpecification>,
    #[serde(default)]
    new_key: Option<Key>,
    #[serde(default)]
    proof: Option<ProofSpecification>,
}

#[derive(Deserialize, Clone, Copy, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
enum Operation {
    Tokenize,
    Detokenize,
    Rekey,
}

#[derive(Deserialize, Clone)]
#[serde(deny_unknown_fields)]
struct Key {
    name: String,
    version: u32,
    id: u32,
    check_value: String,
}

#[derive(Deserialize, Clone)]
#[serde(tag = "kind", rename_all = "lowercase", deny_unknown_fields)]
enum MethodSpecification {
    Characters {
        alphabet: String,
        separators: String,
        min_length: usize,
        max_length: usize,
        keep_first: usize,
        keep_last: usize,
        check_digit: Option<CheckDigitSpecification>,
        small_domain: bool,
    },
    Sealed {
        max_length: usize,
    },
}

/// The proof that a column's values are added to.
#[derive(Deserialize, Clone, Copy)]
#[serde(deny_unknown_fields)]
pub struct ProofSpecification {
    /// Its number in this process.
    pub id: u64,
    /// Whether the tokens are the old ones or the new ones; of a job, what it read or what it wrote.
    pub side: Side,
    /// Whether a digest gives the marks of its rows, and adds nothing.
    #[serde(default)]
    pub by_row: bool,
}

#[derive(Deserialize, Clone, Copy)]
#[serde(rename_all = "lowercase")]
enum CheckDigitSpecification {
    Ignore,
    Valid,
    Invalid,
}

#[derive(Deserialize, Clone, Copy)]
#[serde(rename_all = "lowercase")]
enum OnInvalidSpecification {
    Error,
    Null,
    Seal,
}

#[derive(Deserialize, Clone, Copy)]
#[serde(rename_all = "kebab-case")]
enum StepSpecification {
    Trim,
    Nfc,
    Lower,
    StripSeparators,
}

#[derive(Deserialize, Clone, Copy, Default, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
enum TokenTypeSpecification {
    #[default]
    Value,
    String,
}

#[derive(Deserialize, Clone, Copy)]
#[serde(rename_all = "lowercase")]
enum ValueTypeSpecification {
    Int8,
    Int16,
    Int32,
    Int64,
    UInt8,
    UInt16,
    UInt32,
    UInt64,
}

#[derive(Deserialize, Clone, Copy, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
enum OutputSpecification {
    Token,
    Outcome,
}

impl Specification {
    /// Reads a specification; the error quotes nothing of it.
    pub fn parse(text: &str) -> Result<Specification, Failure> {
        serde_json::from_str(text).map_err(|error| {
            Failure::new(
                Code::Specification,
                format!("the column specification can't be read (line {}, column {})", error.line(), error.column()),
            )
            .with_hint("the plan comes from another version of tokenkit, or was altered; build the expression again")
        })
    }

    /// The field that the call gives for a column of a field.
    pub fn output_field(&self, values: &Field) -> Result<Field, Failure> {
        let seals = matches!(self.on_invalid, OnInvalidSpecification::Seal);
        if self.operation == Operation::Rekey {
            return self.integers().token_type(values.data_type(), Direction::Decrypt, seals).map(|_| values.clone());
        }
        let tokens = self
            .integers()
            .token_type(values.data_type(), self.direction(), seals)
            .map_err(|failure| failure.with_column(values.name()))?;
        Ok(if self.output == OutputSpecification::Outcome {
            Field::new(values.name(), outcome_type(&tokens), true)
        } else if tokens == *values.data_type() {
            values.clone()
        } else {
            Field::new(values.name(), tokens, true)
        })
    }

    fn direction(&self) -> Direction {
        match self.operation {
            Operation::Tokenize => Direction::Encrypt,
            // The types of rekeyed tokens are checked as those of the old ones.
            Operation::Detokenize | Operation::Rekey => Direction::Decrypt,
        }
    }

    fn integers(&self) -> Integers {
        Integers {
            digits: matches!(&self.method, MethodSpecification::Characters { alphabet, .. } if alphabet == "0123456789"),
            width: self.width,
            token_strings: self.token_type == TokenTypeSpecification::String,
            value_type: self.value_type.map(|value_type| match value_type {
                ValueTypeSpecification::Int8 => DataType::Int8,
                ValueTypeSpecification::Int16 => DataType::Int16,
                ValueTypeSpecification::Int32 => DataType::Int32,
                ValueTypeSpecification::Int64 => DataType::Int64,
                ValueTypeSpecification::UInt8 => DataType::UInt8,
                ValueTypeSpecification::UInt16 => DataType::UInt16,
                ValueTypeSpecification::UInt32 => DataType::UInt32,
                ValueTypeSpecification::UInt64 => DataType::UInt64,
            }),
        }
    }

    /// The proof that the values are added to, if there is one.
    pub fn proof(&self) -> Option<ProofSpecification> {
        self.proof
    }

    /// The new tokens, or the values, of a column; without a proof.
    pub fn run(
        self,
        name: &str,
        chunks: &[ArrayRef],
        tweaks: Option<&TweakColumn<'_>>,
    ) -> Result<Vec<ArrayRef>, Failure> {
        if self.proof.is_some() {
            return Err(Failure::new(Code::Specification, "a proof needs the numbers of the rows"));
        }
        match self.operation {
            Operation::Rekey => self.rekey()?.run(name, chunks, tweaks, None),
            _ => self.plan()?.run(name, chunks, tweaks),
        }
    }

    /// Checks the parameters and finds both keys: what is needed to rekey.
    pub fn rekey(self) -> Result<Rekey, Failure> {
        let (Operation::Rekey, Some(new_key)) = (self.operation, self.new_key.clone()) else {
            return Err(Failure::new(Code::Specification, "the specification doesn't say what to rekey to"));
        };
        // Values were normalized before they became tokens, and those that were sealed stay as they were given.
        let old = Specification { operation: Operation::Detokenize, normalize: Vec::new(), new_key: None, ..self };
        let new = Specification { operation: Operation::Tokenize, key: new_key, ..old.clone() };
        Ok(Rekey { old: old.plan()?, new: new.plan()? })
    }

    /// Whether values become tokens.
    pub fn tokenizes(&self) -> bool {
        self.operation == Operation::Tokenize
    }

    /// Whether a tweak column comes with the values.
    pub fn has_tweak_column(&self) -> bool {
        self.tweak_column
    }

    /// Checks the parameters and finds the key: what is needed to run.
    pub fn plan(self) -> Result<Plan, Failure> {
        if !is_valid_domain(&self.domain) {
            return Err(Failure::new(Code::Scheme, "a domain has 1 to 64 characters of a-z, 0-9, '.', '_' and '-'"));
        }
        let (direction, integers) = (self.direction(), self.integers());
        let (method, purpose) = match self.method {
            MethodSpecification::Characters {
                alphabet,
                separators,
                min_length,
                max_length,
                keep_first,
                keep_last,
                check_digit,
                small_domain,
            } => {
                let characters = Characters::new(Shape {
                    alphabet,
                    separators,
                    min_length,
                    max_length,
                    keep_first,
                    keep_last,
                    check_digit: match check_digit {
                        None | Some(CheckDigitSpecification::Ignore) => None,
                        Some(CheckDigitSpecification::Valid) => Some(CheckDigit::Valid),
                        Some(CheckDigitSpecification::Invalid) => Some(CheckDigit::Invalid),
                    },
                    minimum: if small_domain { DomainMinimum::Small } else { DomainMinimum::Standard },
                    tweak: TweakRule::Contract { has_column: self.tweak_column },
                })?;
                (Method::Characters(characters), Purpose::Ff1)
            }
            MethodSpecification::Sealed { .. } if self.tweak_column => {
                return Err(Failure::new(Code::Scheme, "sealed tokens have no tweak"));
            }
            MethodSpecification::Sealed { max_length } if max_length > LONGEST_TEXT => {
                return Err(Failure::new(Code::Scheme, "a sealed text has at most 1 GiB"));
            }
            MethodSpecification::Sealed { max_length } => {
                (Method::Sealed(Sealed { max_length, key_id: self.key.id }), Purpose::AesSiv)
            }
        };
        let literals = Literals::new(self.literals);
        check_treatment(&method, &literals, &integers)?;
        let steps: Vec<Step> = self.normalize.into_iter().map(step).collect();
        let normalization = Normalization::new(&steps, &method);
        let reference = KeyReference {
            check_value: check_value(&self.key.check_value)?,
            name: self.key.name,
            version: self.key.version,
            id: self.key.id,
        };
        if direction == Direction::Decrypt {
            registry::require_revealing(&reference)?;
        }
        Ok(Plan {
            usage: Some(usage::of(reference.id, reference.check_value)),
            method,
            treatment: Treatment { literals, normalization, integers },
            key: registry::resolve(&reference, purpose, &self.domain)?,
            direction,
            on_invalid: match self.on_invalid {
                OnInvalidSpecification::Error => OnInvalid::Error,
                OnInvalidSpecification::Null => OnInvalid::Null,
                OnInvalidSpecification::Seal => OnInvalid::Seal(Fallback {
                    sealed: Sealed { max_length: LONGEST_TEXT, key_id: reference.id },
                    key: registry::resolve(&reference, Purpose::AesSiv, &self.domain)?,
                }),
            },
            output: match self.output {
                OutputSpecification::Token => Output::Token,
                OutputSpecification::Outcome => Output::Outcome,
            },
            kernel: kernel::current(),
            threads: threads::most(),
        })
    }
}

fn step(step: StepSpecification) -> Step {
    match step {
        StepSpecification::Trim => Step::Trim,
        StepSpecification::Nfc => Step::Nfc,
        StepSpecification::Lower => Step::Lower,
        StepSpecification::StripSeparators => Step::StripSeparators,
    }
}

/// Refuses literals and integers that the method can't keep its promises for.
fn check_treatment(method: &Method, literals: &Literals, integers: &Integers) -> Result<(), Failure> {
    let characters = match method {
        Method::Characters(characters) => Some(characters),
        Method::Sealed(_) => None,
    };
    if characters.is_some_and(|characters| literals.iter().any(|literal| characters.mistakes_for_token(literal))) {
        return Err(Failure::new(
            Code::Scheme,
            "a literal has the form of a token: its check digit is off by one, as those of tokens are",
        )
        .with_hint("take it from literals, or say check_digit: valid or ignore"));
    }
    if integers.width.is_some_and(|width| !characters.is_some_and(|characters| characters.takes_digits(width))) {
        return Err(Failure::new(Code::Scheme, "a width is for schemes of digits that take values of that length"));
    }
    if integers.value_type.is_some() && !integers.digits {
        return Err(Failure::new(Code::Scheme, "integers come back from schemes of digits only"));
    }
    Ok(())
}

fn check_value(text: &str) -> Result<[u8; 16], Failure> {
    let refuse = || Failure::new(Code::Specification, "a key-check value has 32 hexadecimal digits");
    if text.len() != 32 || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Err(refuse());
    }
    u128::from_str_radix(text, 16).map(u128::to_be_bytes).map_err(|_| refuse())
}
