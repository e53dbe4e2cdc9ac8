//! `jsonb` out of `jsonb`: joined, with parts set, put in or taken out.

use std::borrow::Cow;

use super::read::{refused, texts};
use crate::base::error::{SqlError, SqlState};
use crate::functions::call::{Answer, Call, Scalar, bounded, pure, strict};
use crate::value::json::write::key_order;
use crate::value::json::{Kind, Node, deeper, from_end, parse, quoted};
use rusqlite::types::Value;

/// What SQLite calls.
pub(crate) const SCALARS: &[Scalar] = &[
    strict("fl_jsonb_concat", 2, concat),
    strict("fl_jsonb_without", 2, |call| without(call, &[call.text(1)?.to_owned()])),
    strict("fl_jsonb_without_all", 2, |call| {
        let keys: Vec<String> = texts(call.text(1)?)?.into_iter().flatten().collect();
        without(call, &keys)
    }),
    strict("fl_jsonb_without_item", 2, without_item),
    strict("fl_jsonb_without_path", 2, |call| Ok(changed(call, Change::Delete, "")?.into())),
    strict("fl_jsonb_set", 4, |call| {
        let change = if call.bool(3)? { Change::Set } else { Change::Replace };
        Ok(changed(call, change, call.text(2)?)?.into())
    }),
    strict("fl_jsonb_insert", 4, |call| {
        let change = if call.bool(3)? { Change::After } else { Change::Before };
        Ok(changed(call, change, call.text(2)?)?.into())
    }),
    pure("fl_jsonb_set_lax", 5, set_lax),
];

/// What happens where a path ends.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Change {
    /// Also where nothing is yet.
    Set,
    Replace,
    Before,
    After,
    Delete,
}

type Fields<'a> = Vec<(Cow<'a, str>, Cow<'a, str>)>;

/// An object of keys and JSON texts, the last of equal keys counting.
fn object(mut fields: Fields<'_>) -> String {
    fields.sort_by(|(left, _), (right, _)| key_order(left, right));
    let mut out = String::from("{");
    for (place, (key, value)) in fields.iter().enumerate() {
        if fields.get(place + 1).is_some_and(|(next, _)| next == key) {
            continue;
        }
        if out.len() > 1 {
            out.push_str(", ");
        }
        quoted(key, &mut out);
        out.push_str(": ");
        out.push_str(value);
    }
    out.push('}');
    out
}

fn array<S: AsRef<str>>(items: &[S]) -> String {
    format!("[{}]", items.iter().map(AsRef::as_ref).collect::<Vec<_>>().join(", "))
}

fn concat(call: &Call<'_>) -> Answer {
    let (left, right) = (parse(call.text(0)?)?, parse(call.text(1)?)?);
    bounded(left.raw.len() + right.raw.len())?;
    if let (Kind::Object(_), Kind::Object(_)) = (&left.kind, &right.kind) {
        let fields = [left, right].into_iter().flat_map(fields_of).collect();
        return Ok(object(fields).into());
    }
    let parts: Vec<&str> = items_of(&left).into_iter().chain(items_of(&right)).collect();
    Ok(array(&parts).into())
}

fn fields_of(node: Node<'_>) -> Fields<'_> {
    match node.kind {
        Kind::Object(fields) => fields.into_iter().map(|(key, value)| (key, value.raw.into())).collect(),
        _ => Vec::new(),
    }
}

fn items_of<'a>(node: &Node<'a>) -> Vec<&'a str> {
    match &node.kind {
        Kind::Array(items) => items.iter().map(|item| item.raw).collect(),
        _ => vec![node.raw],
    }
}

/// Without keys, or without strings in an array.
fn without(call: &Call<'_>, keys: &[String]) -> Answer {
    let node = parse(call.text(0)?)?;
    let gone = |text: &str| keys.iter().any(|key| key == text);
    match node.kind {
        Kind::Object(fields) => {
            let kept = fields.into_iter().filter(|(key, _)| !gone(key));
            Ok(object(kept.map(|(key, value)| (key, value.raw.into())).collect()).into())
        }
        Kind::Array(items) => {
            let kept = items.iter().filter(|item| !matches!(&item.kind, Kind::String(text) if gone(text)));
            Ok(array(&kept.map(|item| item.raw).collect::<Vec<_>>()).into())
        }
        _ => Err(refused("cannot delete from scalar")),
    }
}

fn without_item(call: &Call<'_>) -> Answer {
    let node = parse(call.text(0)?)?;
    match &node.kind {
        Kind::Object(_) => Err(refused("cannot delete from object using integer index")),
        Kind::Array(items) => {
            let gone = from_end(call.int(1)?, items.len());
            let kept = items.iter().enumerate().filter(|(place, _)| Some(*place) != gone);
            Ok(array(&kept.map(|(_, item)| item.raw).collect::<Vec<_>>()).into())
        }
        _ => Err(refused("cannot delete from scalar")),
    }
}

/// The value with a change at the end of a path.
fn changed(call: &Call<'_>, change: Change, new: &str) -> Result<String, SqlError> {
    let (node, path) = (parse(call.text(0)?)?, texts(call.text(1)?)?);
    let size = match &node.kind {
        Kind::Array(items) => items.len(),
        Kind::Object(fields) => fields.len(),
        _ if change == Change::Delete => return Err(refused("cannot delete path in scalar")),
        _ => return Err(refused("cannot set path in scalar")),
    };
    let nothing_to_do = size == 0 && matches!(change, Change::Delete | Change::Replace);
    if path.is_empty() || nothing_to_do {
        return Ok(node.raw.to_owned());
    }
    bounded(node.raw.len() + new.len())?;
    Walk { path: &path, change, new }.at(node, 0)
}

struct Walk<'a> {
    path: &'a [Option<String>],
    change: Change,
    new: &'a str,
}

impl Walk<'_> {
    fn at(&self, node: Node<'_>, level: usize) -> Result<String, SqlError> {
        let Some(step) = self.path.get(level) else { return Ok(node.raw.to_owned()) };
        let Some(step) = step else {
            let message = format!("path element at position {} is null", level + 1);
            return Err(SqlError::new(SqlState::NULL_VALUE_NOT_ALLOWED, message));
        };
        match node.kind {
            Kind::Object(fields) => self.in_object(fields, step, level),
            Kind::Array(items) => self.in_array(items, step, level),
            _ => Ok(node.raw.to_owned()),
        }
    }

    fn is_last(&self, level: usize) -> bool {
        level + 1 == self.path.len()
    }

    fn in_object(
        &self,
        fields: Vec<(Cow<'_, str>, Node<'_>)>,
        step: &str,
        level: usize,
    ) -> Result<String, SqlError> {
        let mut out: Fields<'_> = Vec::with_capacity(fields.len() + 1);
        let mut found = false;
        for (key, value) in fields {
            if key != step {
                out.push((key, value.raw.into()));
                continue;
            }
            found = true;
            if !self.is_last(level) {
                out.push((key, deeper(|| self.at(value, level + 1))?.into()));
                continue;
            }
            match self.change {
                Change::Set | Change::Replace => out.push((key, self.new.into())),
                Change::Delete => {}
                Change::Before | Change::After => {
                    return Err(refused("cannot replace existing key")
                        .with_hint("Try using the function jsonb_set to replace key value."));
                }
            }
        }
        if !found && self.is_last(level) && !matches!(self.change, Change::Delete | Change::Replace) {
            out.push((step.into(), self.new.into()));
        }
        Ok(object(out))
    }

    fn in_array(&self, items: Vec<Node<'_>>, step: &str, level: usize) -> Result<String, SqlError> {
        let place: i64 = step.trim().parse::<i32>().map(i64::from).map_err(|_| {
            let message = format!("path element at position {} is not an integer: \"{step}\"", level + 1);
            SqlError::new(SqlState::INVALID_TEXT_REPRESENTATION, message)
        })?;
        let adds = self.is_last(level) && !matches!(self.change, Change::Delete | Change::Replace);
        let found = from_end(place, items.len());
        let (count, mut out) = (items.len(), Vec::<Cow<'_, str>>::with_capacity(items.len() + 1));
        if found.is_none() && adds {
            out.push(self.new.into());
        }
        for (at, item) in items.into_iter().enumerate() {
            if Some(at) != found {
                out.push(item.raw.into());
            } else if self.is_last(level) {
                match self.change {
                    Change::Set | Change::Replace => out.push(self.new.into()),
                    Change::Before => out.extend([self.new.into(), item.raw.into()]),
                    Change::After => out.extend([item.raw.into(), self.new.into()]),
                    Change::Delete => {}
                }
            } else {
                out.push(deeper(|| self.at(item, level + 1))?.into());
            }
        }
        if found.is_some_and(|found| found >= count) && adds {
            out.push(self.new.into());
        }
        Ok(array(&out))
    }
}

/// `jsonb_set` that is told what to do with NULL.
fn set_lax(call: &Call<'_>) -> Answer {
    if call.is_null(0) || call.is_null(1) || call.is_null(3) {
        return Ok(Value::Null);
    }
    let treatment = if call.is_null(4) { "" } else { call.text(4)? };
    let change = if call.bool(3)? { Change::Set } else { Change::Replace };
    if !matches!(treatment, "delete_key" | "return_target" | "use_json_null" | "raise_exception") {
        return Err(refused(
            "null_value_treatment must be \"delete_key\", \"return_target\", \"use_json_null\", or \"raise_exception\"",
        ));
    }
    if !call.is_null(2) {
        return Ok(changed(call, change, call.text(2)?)?.into());
    }
    match treatment {
        "delete_key" => Ok(changed(call, Change::Delete, "")?.into()),
        "return_target" => Ok(call.text(0)?.to_owned().into()),
        "use_json_null" => Ok(changed(call, change, "null")?.into()),
        _ => Err(SqlError::new(SqlState::NULL_VALUE_NOT_ALLOWED, "JSON value must not be null")
            .with_detail("Exception was raised because null_value_treatment is \"raise_exception\".")
            .with_hint(
                "To avoid, either change the null_value_treatment argument or ensure that an SQL NULL is not passed.",
            )),
    }
}
