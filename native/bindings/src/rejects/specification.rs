//! The specification of a call on rejected rows, as Python writes it: it names keys, never holds one.

use super::{Direction, RUN_BYTES, output_type};
use crate::failure::{Code, Failure};
use crate::keys::{KeyReference, registry};
use aes_gcm::{Aes256Gcm, KeyInit};
use arrow_schema::DataType;
use serde::Deserialize;
use tokenkit_algorithms::derive::is_valid_domain;
use tokenkit_algorithms::locked::Locked;
use tokenkit_algorithms::scrub::scrubbed;

/// Which columns rejected rows have, and under which keys their cells are sealed.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Specification {
    run: String,
    cells: Vec<Cell>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Cell {
    column: String,
    key: Option<Key>,
    domain: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Key {
    name: String,
    version: u32,
    id: u32,
    check_value: String,
}

/// A column of rejected rows.
pub struct CellPlan {
    /// Its name.
    pub column: String,
    /// Its key for this run; a column without one is sealed under the key of the column whose value doesn't fit.
    pub key: Option<Locked<Aes256Gcm>>,
}

/// A specification whose keys were found.
pub struct Plan {
    /// The run's id.
    pub run: [u8; RUN_BYTES],
    /// The columns, in order.
    pub cells: Vec<CellPlan>,
}

fn unreadable() -> Failure {
    Failure::new(Code::Specification, "the specification of rejected rows can't be read")
        .with_hint("the plan comes from another version of tokenkit, or was altered; build the expression again")
}

impl Specification {
    /// Reads a specification; the error quotes nothing of it.
    pub fn parse(text: &str) -> Result<Specification, Failure> {
        let specification: Specification = serde_json::from_str(text).map_err(|_| unreadable())?;
        if specification.cells.is_empty() { Err(unreadable()) } else { Ok(specification) }
    }

    /// The type that comes out.
    pub fn output_type(&self) -> DataType {
        output_type(self.cells.iter().map(|cell| cell.column.clone()))
    }

    /// Finds the keys.
    pub fn plan(self, direction: Direction) -> Result<Plan, Failure> {
        let run = sixteen_bytes(&self.run)?;
        let cells = self.cells.into_iter().map(|cell| cell.plan(&run, direction)).collect::<Result<_, _>>()?;
        Ok(Plan { run, cells })
    }
}

impl Cell {
    fn plan(self, run: &[u8; RUN_BYTES], direction: Direction) -> Result<CellPlan, Failure> {
        let key = match (self.key, self.domain) {
            (None, _) => None,
            (Some(key), Some(domain)) if is_valid_domain(&domain) => Some(key.for_run(&domain, run, direction)?),
            _ => return Err(unreadable()),
        };
        Ok(CellPlan { column: self.column, key })
    }
}

impl Key {
    fn for_run(self, domain: &str, run: &[u8; RUN_BYTES], direction: Direction) -> Result<Locked<Aes256Gcm>, Failure> {
        let reference = KeyReference {
            check_value: sixteen_bytes(&self.check_value)?,
            name: self.name,
            version: self.version,
            id: self.id,
        };
        if direction == Direction::Open {
            registry::require_revealing(&reference)?;
        }
        let material = registry::material(&reference)?;
        // In locked memory at once: a plan's cells move while they are collected, and the round keys would stay behind.
        scrubbed(|| Aes256Gcm::new_from_slice(material.rejects_key(domain, run).as_ref()).map(Locked::new))
            .map_err(|_| Failure::new(Code::NativeDefect, "a run's key has the wrong length"))
    }
}

fn sixteen_bytes(text: &str) -> Result<[u8; 16], Failure> {
    if text.len() != 32 || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Err(unreadable());
    }
    u128::from_str_radix(text, 16).map(u128::to_be_bytes).map_err(|_| unreadable())
}
