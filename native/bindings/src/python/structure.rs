//! The structure of CSV files, for Python.

use super::exceptions::{detached, raise_class};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict};
use std::fs::File;
use std::io::{self, Read};
use std::sync::{Mutex, MutexGuard, PoisonError};
use tokenkit_algorithms::csv_structure::{Dialect, Finder, Malformed, Problem, Structure};

/// Small enough for the second-level cache, where the bytes are looked at twice.
const READ_BYTES: usize = 512 << 10;

/// Checks that a CSV file's records are well-formed and of one length, and counts them.
#[pyclass(frozen, module = "tokenkit._native")]
pub struct CsvStructure(Mutex<Structure>);

/// What ends a scan early.
enum Stop {
    Malformed(Malformed),
    Unreadable(io::Error),
}

fn hint(problem: Problem) -> &'static str {
    match problem {
        Problem::Fields { .. } => "a field that holds the delimiter or a line end stands in quotes",
        Problem::Blank { .. } | Problem::BlankStart => "take blank lines out of the file",
        Problem::UnclosedQuote | Problem::StrayQuote | Problem::TextAfterQuote => {
            "a field that holds a quote stands in quotes, and the quote in it is doubled; \
             where quotes mean nothing, say that the file has none"
        }
        Problem::BareCarriageReturn => {
            "lines end in LF or CR LF; a field that holds a carriage return stands in quotes"
        }
        Problem::NotUtf8 => "say which encoding the file has, or convert it to UTF-8",
        Problem::TooLong => "look for a quote that isn't closed, or for lines that end in another character",
    }
}

fn raise(py: Python<'_>, malformed: Malformed) -> PyErr {
    let build = || {
        let fields = PyDict::new(py);
        fields.set_item("line", malformed.line)?;
        fields.set_item("hint", hint(malformed.problem))?;
        py.import("tokenkit.errors")?.getattr("InputError")?.call((malformed.problem.to_string(),), Some(&fields))
    };
    build().map_or_else(|error| error, PyErr::from_value)
}

impl CsvStructure {
    /// Refused while another thread is at work, and after a panic, which leaves counts that may be wrong.
    fn lock(&self, py: Python<'_>) -> PyResult<MutexGuard<'_, Structure>> {
        self.0.try_lock().map_err(|_| {
            raise_class(
                py,
                "NativeDefect",
                "the structure of a CSV file is in use by another thread, or has failed",
                "make one for each file",
            )
        })
    }

    fn check_tail(&self, py: Python<'_>, data: &Bound<'_, PyBytes>) -> PyResult<()> {
        if data.as_bytes().len() < self.lock(py)?.tail() {
            return Err(PyValueError::new_err("a piece starts with what the last one left over"));
        }
        Ok(())
    }

    fn run<T: Send>(&self, py: Python<'_>, work: impl FnOnce(&mut Structure) -> Result<T, Stop> + Send) -> PyResult<T> {
        drop(self.lock(py)?);
        let outcome = detached(py, || {
            let mut structure = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            Ok(work(&mut structure))
        })?;
        outcome.map_err(|stop| match stop {
            Stop::Malformed(malformed) => raise(py, malformed),
            Stop::Unreadable(error) => error.into(),
        })
    }
}

#[pymethods]
impl CsvStructure {
    #[new]
    #[pyo3(signature = (delimiter, quote, fields = None))]
    fn new(delimiter: &[u8], quote: Option<&[u8]>, fields: Option<u64>) -> PyResult<Self> {
        let refuse = || {
            PyValueError::new_err("delimiter and quote are two different ASCII characters, neither of them a line end")
        };
        let one = |bytes: &[u8]| if let [byte] = bytes { Ok(*byte) } else { Err(refuse()) };
        let dialect = Dialect::new(one(delimiter)?, quote.map(one).transpose()?).ok_or_else(refuse)?;
        let finder = if crate::kernel::selected() == "portable" { Finder::PORTABLE } else { Finder::best() };
        Ok(CsvStructure(Mutex::new(Structure::new(dialect, fields, finder))))
    }

    /// Checks a piece and gives the offset behind its last complete record, where the next piece has to start.
    fn feed(&self, py: Python<'_>, data: &Bound<'_, PyBytes>) -> PyResult<usize> {
        self.check_tail(py, data)?;
        let data = data.as_bytes();
        self.run(py, |structure| structure.feed(data).map_err(Stop::Malformed))
    }

    /// Checks the rest, in which the last record may lack its line end.
    fn finish(&self, py: Python<'_>, data: &Bound<'_, PyBytes>) -> PyResult<()> {
        self.check_tail(py, data)?;
        let data = data.as_bytes();
        self.run(py, |structure| structure.finish(data).map_err(Stop::Malformed))
    }

    /// Checks a whole file.
    fn scan_file(&self, py: Python<'_>, path: std::path::PathBuf) -> PyResult<()> {
        self.run(py, |structure| scan_file(structure, &path))
    }

    /// Records so far, a header included.
    #[getter]
    fn records(&self, py: Python<'_>) -> PyResult<u64> {
        Ok(self.lock(py)?.records())
    }

    /// Fields in each record; none until the first one is complete, unless given.
    #[getter]
    fn fields(&self, py: Python<'_>) -> PyResult<Option<u64>> {
        Ok(self.lock(py)?.fields())
    }
}

fn scan_file(structure: &mut Structure, path: &std::path::Path) -> Result<(), Stop> {
    let mut file = File::open(path).map_err(Stop::Unreadable)?;
    let mut buffer = vec![0; READ_BYTES];
    let mut filled = 0;
    loop {
        if buffer.len() - filled < READ_BYTES / 2 {
            buffer.resize(2 * buffer.len(), 0);
        }
        let read = match file.read(&mut buffer[filled..]) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            other => other.map_err(Stop::Unreadable)?,
        };
        if read == 0 {
            return structure.finish(&buffer[..filled]).map_err(Stop::Malformed);
        }
        filled += read;
        let taken = structure.feed(&buffer[..filled]).map_err(Stop::Malformed)?;
        buffer.copy_within(taken..filled, 0);
        filled -= taken;
    }
}
