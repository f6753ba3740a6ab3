//! Which types of columns can be tokenized, and what type their tokens have.

use crate::failure::{Code, Failure};
use arrow_schema::{DataType, Field, Fields};
use tokenkit_algorithms::ff1::Direction;

/// The field that an outcome holds the token in.
pub const TOKEN_FIELD: &str = "token";
/// The field that an outcome holds the reason code in.
pub const REASON_FIELD: &str = "reason";

/// The type of the outcome struct for tokens of a type.
pub fn outcome_type(tokens: &DataType) -> DataType {
    DataType::Struct(outcome_fields(tokens))
}

/// The fields of that struct.
pub fn outcome_fields(tokens: &DataType) -> Fields {
    Fields::from(vec![
        Field::new(TOKEN_FIELD, tokens.clone(), true),
        Field::new(REASON_FIELD, DataType::Utf8View, true),
    ])
}

/// Refuses what is neither strings nor a dictionary of them.
pub fn check_type(data_type: &DataType) -> Result<(), Failure> {
    let supported = match data_type {
        DataType::Dictionary(_, values) => is_string(values),
        other => is_string(other) || *other == DataType::Null,
    };
    if supported {
        return Ok(());
    }
    let hint = match data_type {
        DataType::Binary | DataType::LargeBinary | DataType::BinaryView => "decode the bytes to strings first",
        DataType::List(_) | DataType::LargeList(_) | DataType::Struct(_) => {
            "tokenize the strings inside it: list.eval(pl.element().tk.tokenize(...)), or the struct's field"
        }
        _ => "cast the column to String first; a cast after detokenizing gives the type back",
    };
    Err(refuse(data_type, hint))
}

fn refuse(data_type: &DataType, hint: impl Into<String>) -> Failure {
    Failure::new(Code::UnsupportedType, format!("a column of type {} can't be tokenized", type_name(data_type)))
        .with_hint(hint)
}

/// Whether a column holds strings, one a row.
pub fn is_string(data_type: &DataType) -> bool {
    matches!(data_type, DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View)
}

/// The name of a type without its parameters, which can hold values (an Enum's do).
fn type_name(data_type: &DataType) -> String {
    let name = format!("{data_type:?}");
    name.split(|character: char| !character.is_alphanumeric()).next().unwrap_or_default().to_owned()
}

/// The most digits of which every number fits an integer type.
fn most_digits(data_type: &DataType) -> Option<usize> {
    Some(match data_type {
        DataType::Int8 | DataType::UInt8 => 2,
        DataType::Int16 | DataType::UInt16 => 4,
        DataType::Int32 | DataType::UInt32 => 9,
        DataType::Int64 => 18,
        DataType::UInt64 => 19,
        _ => return None,
    })
}

/// How integers are written as digits, and what comes back.
#[derive(Clone, Default)]
pub struct Integers {
    /// Whether the method's alphabet is 0123456789.
    pub digits: bool,
    /// Digits of every value, leading zeros among them.
    pub width: Option<usize>,
    /// Whether an integer column's tokens are strings.
    pub token_strings: bool,
    /// The integer type that values detokenized from strings have.
    pub value_type: Option<DataType>,
}

impl Integers {
    /// The type of what a column of a type is turned into.
    pub fn token_type(&self, data_type: &DataType, direction: Direction, seals: bool) -> Result<DataType, Failure> {
        if let (Direction::Decrypt, Some(value_type)) = (direction, &self.value_type) {
            return self.back_type(data_type, value_type, seals);
        }
        let Some(most) = most_digits(data_type).filter(|_| self.digits) else {
            return check_type(data_type).map(|()| data_type.clone());
        };
        let Some(width) = self.width else {
            return Err(refuse(
                data_type,
                "say width: n, the number of digits that values are written with; or cast the column to String first",
            ));
        };
        if seals {
            return Err(seal_refused(data_type));
        }
        if self.token_strings && direction == Direction::Encrypt {
            return Ok(DataType::Utf8View);
        }
        if width > most {
            return Err(Failure::new(
                Code::UnsupportedType,
                format!("not every number of {width} digits fits a column of type {}", type_name(data_type)),
            )
            .with_hint(format!("say width: {most} or less, cast the column to a wider type, or say output: string")));
        }
        Ok(data_type.clone())
    }

    fn back_type(&self, data_type: &DataType, value_type: &DataType, seals: bool) -> Result<DataType, Failure> {
        if seals {
            return Err(seal_refused(value_type));
        }
        if is_string(data_type) || *data_type == DataType::Null {
            return Ok(value_type.clone());
        }
        Err(Failure::new(Code::UnsupportedType, "the tokens of this column are strings, and the column holds others")
            .with_hint("cast the column to String, with its leading zeros"))
    }
}

fn seal_refused(data_type: &DataType) -> Failure {
    Failure::new(Code::UnsupportedType, format!("a column of type {} can't hold sealed tokens", type_name(data_type)))
        .with_hint("on_invalid: seal is for strings; say error, null or reject, or cast the column to String first")
}
