//! What went wrong, in the one form that survives Polars: a line of text that starts with a stable code.
//!
//! Polars rebuilds a plugin's error from its text alone, so everything that `tokenkit.errors` needs stands in it:
//! `TK301: message [column="card" reason="character" count=3] hint: what to do`. No value, token or key byte ever does.

use std::fmt;

/// The code that a failure starts with; `tokenkit/errors.py` holds the class for each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Code {
    /// The column specification can't be read: it comes from another version, or was altered.
    Specification,
    /// The scheme's domain is smaller than the standard allows.
    DomainTooSmall,
    /// The scheme's parameters contradict each other.
    Scheme,
    /// The process lacks the key that the plan names.
    KeyNotLoaded,
    /// The key was loaded for tokenizing only.
    AccessDenied,
    /// Two different keys claim one id.
    KeyConflict,
    /// The key is of a kind that can't do what is asked.
    InvalidKey,
    /// Values that don't fit the scheme.
    InvalidValues,
    /// A column of a type that can't be tokenized.
    UnsupportedType,
    /// A tweak column that doesn't fit the values.
    TweakMismatch,
    /// Something sealed that isn't what was sealed there.
    NotAuthentic,
    /// A defect of this library.
    NativeDefect,
}

impl Code {
    fn text(self) -> &'static str {
        match self {
            Code::Specification => "TK101",
            Code::DomainTooSmall => "TK102",
            Code::Scheme => "TK103",
            Code::KeyNotLoaded => "TK201",
            Code::KeyConflict => "TK202",
            Code::InvalidKey => "TK206",
            Code::AccessDenied => "TK219",
            Code::InvalidValues => "TK301",
            Code::UnsupportedType => "TK302",
            Code::TweakMismatch => "TK303",
            Code::NotAuthentic => "TK304",
            Code::NativeDefect => "TK401",
        }
    }
}

/// A failure with the fields that Python's exceptions show.
#[derive(Clone, Debug)]
pub struct Failure {
    code: Code,
    message: String,
    column: Option<String>,
    reason: Option<&'static str>,
    count: Option<usize>,
    hint: Option<String>,
}

impl Failure {
    /// A failure of the given kind; `message` must hold nothing that came from a cell.
    pub fn new(code: Code, message: impl Into<String>) -> Self {
        Failure { code, message: message.into(), column: None, reason: None, count: None, hint: None }
    }

    /// Names the column, unless one is named already or the name is empty.
    pub fn with_column(mut self, column: &str) -> Self {
        if self.column.is_none() && !column.is_empty() {
            self.column = Some(column.to_owned());
        }
        self
    }

    /// Names the commonest reason and how many values it and the others hit.
    pub fn with_reason(mut self, reason: &'static str, count: usize) -> Self {
        self.reason = Some(reason);
        self.count = Some(count);
        self
    }

    /// Says what to do next.
    pub fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}: {}", self.code.text(), self.message)?;
        let mut fields = Vec::new();
        if let Some(column) = &self.column {
            fields.push(format!("column={}", serde_json::Value::from(column.as_str())));
        }
        if let Some(reason) = self.reason {
            fields.push(format!("reason={}", serde_json::Value::from(reason)));
        }
        if let Some(count) = self.count {
            fields.push(format!("count={count}"));
        }
        if !fields.is_empty() {
            write!(formatter, " [{}]", fields.join(" "))?;
        }
        if let Some(hint) = &self.hint {
            write!(formatter, " hint: {hint}")?;
        }
        Ok(())
    }
}
