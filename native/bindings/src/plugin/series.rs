//! Series that cross the plugin boundary: a field and its chunks in the Arrow C Data Interface.

use crate::failure::{Code, Failure};
use arrow_array::ffi::{FFI_ArrowArray, FFI_ArrowSchema, from_ffi};
use arrow_array::{Array, ArrayRef, NullArray, make_array, new_empty_array};
use arrow_schema::{DataType, Field};
use std::ffi::c_void;
use std::mem::ManuallyDrop;
use std::ptr;
use std::sync::Arc;

/// Polars' `SeriesExport`, ABI version 0.1.
#[repr(C)]
pub struct SeriesExport {
    field: *mut FFI_ArrowSchema,
    arrays: *mut *mut FFI_ArrowArray,
    length: usize,
    release: Option<unsafe extern "C" fn(*mut SeriesExport)>,
    private_data: *mut c_void,
}

/// A series' field and chunks.
pub struct Column {
    /// Name, type and metadata.
    pub field: Field,
    /// The chunks.
    pub chunks: Vec<ArrayRef>,
}

fn unreadable<E>(_: E) -> Failure {
    // The foreign text is left out: it may quote what the column holds.
    Failure::new(Code::UnsupportedType, "the column's Arrow data can't be read")
}

/// The metadata key in which Polars keeps an Enum's list of values.
const ENUM_KEY_PREFIX: &str = "_PL_ENUM_VALUES";

/// Reads a field; an Enum is refused, since its type lists its values.
pub fn field(schema: &FFI_ArrowSchema) -> Result<Field, Failure> {
    let field = Field::try_from(schema).map_err(unreadable)?;
    if field.metadata().keys().any(|key| key.starts_with(ENUM_KEY_PREFIX)) {
        return Err(Failure::new(
            Code::UnsupportedType,
            "an Enum column can't be tokenized: its type lists the clear values",
        )
        .with_column(field.name())
        .with_hint("cast the column to String or Categorical first"));
    }
    Ok(field)
}

/// Takes a series over: its arrays become ours, and the export is released.
///
/// # Safety
/// `export` points at an export that nobody uses afterwards.
pub unsafe fn take(export: *mut SeriesExport) -> Result<Column, Failure> {
    // SAFETY: the caller gives the export away.
    let mut export = unsafe { ptr::read(export) };
    // SAFETY: Polars keeps the schema alive until the export is released, below.
    let schema = unsafe { &*export.field };
    let field = field(schema);
    let chunks: Vec<Result<ArrayRef, Failure>> = (0..export.length)
        .map(|index| {
            // SAFETY: `arrays` holds `length` pointers to arrays; the release function of an export frees their boxes
            // but does not release the arrays, so that moving each out once leaves one owner.
            let array = unsafe { ptr::read(*export.arrays.add(index)) };
            if field.as_ref().is_ok_and(|field| *field.data_type() == DataType::Null) {
                // Polars exports buffers with a null array, which the format says has none.
                return Ok(Arc::new(NullArray::new(array.len())) as ArrayRef);
            }
            // SAFETY: Polars exports arrays that fit the schema beside them.
            let mut data = unsafe { from_ffi(array, schema) }.map_err(unreadable)?;
            data.align_buffers();
            Ok(make_array(data))
        })
        .collect();
    if let Some(release) = export.release {
        // SAFETY: the export's own release function, called once.
        unsafe { release(&raw mut export) };
    }
    Ok(Column { chunks: chunks.into_iter().collect::<Result<_, _>>()?, field: field? })
}

/// What a release of our own exports has to free.
struct Owned {
    schema: Box<FFI_ArrowSchema>,
    arrays: Box<[*mut FFI_ArrowArray]>,
}

/// A schema for Polars.
pub fn schema(field: &Field) -> Result<FFI_ArrowSchema, Failure> {
    FFI_ArrowSchema::try_from(field).map_err(unreadable)
}

/// Hands a series over to Polars.
pub fn give(field: &Field, mut chunks: Vec<ArrayRef>) -> Result<SeriesExport, Failure> {
    if chunks.is_empty() {
        chunks.push(new_empty_array(field.data_type()));
    }
    debug_assert!(chunks.iter().all(|chunk| same_layout(chunk.data_type(), field.data_type())));
    let mut schema = Box::new(schema(field)?);
    let mut arrays: Box<[_]> =
        chunks.iter().map(|chunk| Box::into_raw(Box::new(FFI_ArrowArray::new(&chunk.to_data())))).collect();
    Ok(SeriesExport {
        field: &raw mut *schema,
        arrays: arrays.as_mut_ptr(),
        length: arrays.len(),
        release: Some(release),
        private_data: Box::into_raw(Box::new(Owned { schema, arrays })).cast(),
    })
}

fn same_layout(left: &DataType, right: &DataType) -> bool {
    std::mem::discriminant(left) == std::mem::discriminant(right)
}

unsafe extern "C" fn release(export: *mut SeriesExport) {
    // SAFETY: Polars passes the export that it was given, once.
    let export = unsafe { &mut *export };
    if export.private_data.is_null() {
        return;
    }
    // SAFETY: `give` made it with Box::into_raw; nulled below, so that it is freed once.
    let owned = unsafe { Box::from_raw(export.private_data.cast::<Owned>()) };
    export.private_data = ptr::null_mut();
    export.release = None;
    for &array in &owned.arrays {
        // SAFETY: `give` boxed each array. Polars has moved the array itself out, so only the box is freed.
        drop(unsafe { Box::from_raw(array.cast::<ManuallyDrop<FFI_ArrowArray>>()) });
    }
    drop(owned.schema);
}
