//! The specification of a column call, as Python writes it: JSON text that names a key, never holds one.

use crate::column::threads;
use crate::column::{Characters, CheckDigit, LONGEST_TEXT, Method, OnInvalid, Output, Plan, Sealed, Shape, TweakRule};
use crate::failure::{Code, Failure};
use crate::kernel;
use crate::keys::{KeyReference, registry};
use serde::Deserialize;
use tokenkit_algorithms::derive::{Purpose, is_valid_domain};
use tokenkit_algorithms::ff1::{Direction, DomainMinimum};

/// A column call's specification.
#[derive(Deserialize)]
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
}

#[derive(Deserialize, Clone, Copy)]
#[serde(rename_all = "lowercase")]
enum Operation {
    Tokenize,
    Detokenize,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Key {
    name: String,
    version: u32,
    id: u32,
    check_value: String,
}

#[derive(Deserialize)]
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

    /// Whether the call gives token and reason.
    pub fn gives_outcome(&self) -> bool {
        self.output == OutputSpecification::Outcome
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
        let reference = KeyReference {
            check_value: check_value(&self.key.check_value)?,
            name: self.key.name,
            version: self.key.version,
            id: self.key.id,
        };
        Ok(Plan {
            method,
            key: registry::resolve(&reference, purpose, &self.domain)?,
            direction: match self.operation {
                Operation::Tokenize => Direction::Encrypt,
                Operation::Detokenize => Direction::Decrypt,
            },
            on_invalid: match self.on_invalid {
                OnInvalidSpecification::Error => OnInvalid::Error,
                OnInvalidSpecification::Null => OnInvalid::Null,
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

fn check_value(text: &str) -> Result<[u8; 16], Failure> {
    let refuse = || Failure::new(Code::Specification, "a key-check value has 32 hexadecimal digits");
    if text.len() != 32 || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Err(refuse());
    }
    u128::from_str_radix(text, 16).map(u128::to_be_bytes).map_err(|_| refuse())
}
