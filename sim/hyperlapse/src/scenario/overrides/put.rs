//! Changes a text at one place, and leaves comments and everything else as they stand.

use toml_edit::{Array, ArrayOfTables, Item, Table, Value};

use super::path::Step;

/// Puts `value` where `steps` lead to.
///
/// # Errors
/// Says in words why it cannot stand there.
pub(super) fn put(item: &mut Item, steps: &[Step], value: Value) -> Result<(), String> {
    let (first, rest) = steps.split_first().expect("a path has at least one part");
    match first {
        Step::Key(key) => put_key(item, key, rest, value),
        Step::Entry(index) => put_entry(item, *index, rest, value),
        Step::Add(_) => add(item, value),
    }
}

fn put_key(item: &mut Item, key: &str, rest: &[Step], value: Value) -> Result<(), String> {
    let Some(table) = item.as_table_like_mut() else {
        return Err(format!("`{key}` would be inside of something that is not a table"));
    };
    if rest.is_empty() {
        match table.get_mut(key) {
            // In place: what stands around the value, such as a comment, stays.
            Some(Item::Value(old)) => {
                let decor = old.decor().clone();
                *old = value;
                *old.decor_mut() = decor;
            }
            // A table has its place behind all values; its value does not.
            Some(_) => {
                table.remove(key);
                table.insert(key, Item::Value(value));
            }
            None => drop(table.insert(key, Item::Value(value))),
        }
        return Ok(());
    }
    if table.get(key).is_none() {
        let new = match (rest, &value) {
            ([Step::Add(_)], Value::InlineTable(_)) => Item::ArrayOfTables(ArrayOfTables::new()),
            ([Step::Add(_)], _) => Item::Value(Value::Array(Array::new())),
            _ => Item::Table(Table::new()),
        };
        table.insert(key, new);
    }
    put(table.get_mut(key).expect("it was put there just now"), rest, value)
}

fn put_entry(item: &mut Item, index: usize, rest: &[Step], value: Value) -> Result<(), String> {
    let nothing = || format!("there is no entry {index}: entries count from 0");
    match item {
        Item::Value(Value::Array(array)) => {
            let old = array.get_mut(index).ok_or_else(nothing)?;
            let decor = old.decor().clone();
            if rest.is_empty() {
                *old = value;
            } else {
                let mut entry = Item::Value(std::mem::replace(old, Value::from(false)));
                let result = put(&mut entry, rest, value);
                *old = entry.into_value().expect("it was made from a value");
                result?;
            }
            *old.decor_mut() = decor;
            Ok(())
        }
        Item::ArrayOfTables(tables) => {
            let old = tables.get_mut(index).ok_or_else(nothing)?;
            if rest.is_empty() {
                let mut table = as_table(value)?;
                // What stands above its header stays; so does its place in the file.
                *table.decor_mut() = old.decor().clone();
                table.set_position(old.position());
                *old = table;
                return Ok(());
            }
            let mut entry = Item::Table(std::mem::take(old));
            let result = put(&mut entry, rest, value);
            *old = entry.into_table().expect("it was made from a table");
            result
        }
        _ => Err("this is not a list".to_owned()),
    }
}

fn add(item: &mut Item, value: Value) -> Result<(), String> {
    match item {
        Item::Value(Value::Array(array)) => array.push(value),
        Item::ArrayOfTables(tables) => tables.push(as_table(value)?),
        _ => return Err("this is not a list".to_owned()),
    }
    Ok(())
}

fn as_table(value: Value) -> Result<Table, String> {
    match value {
        Value::InlineTable(table) => Ok(table.into_table()),
        _ => Err("its entries are tables: expected { key = value, … }".to_owned()),
    }
}
