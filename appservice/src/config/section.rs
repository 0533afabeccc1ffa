//! One table of the configuration, from which keys are taken until none may be left.

use toml::{Table, Value};

use super::Fault;

/// A table under reading; faults of all tables go into one list.
pub(super) struct Section<'a> {
    name: &'static str,
    table: Table,
    asked: Vec<&'static str>,
    faults: &'a mut Vec<Fault>,
}

impl<'a> Section<'a> {
    /// `name` is empty for the top of the file.
    pub(super) fn new(name: &'static str, table: Table, faults: &'a mut Vec<Fault>) -> Self {
        Self { name, table, asked: Vec::new(), faults }
    }

    /// The text under `key`, as `read` understands it; `None` leaves a fault.
    pub(super) fn take<T>(
        &mut self,
        key: &'static str,
        read: impl FnOnce(&str) -> Result<T, String>,
    ) -> Option<T> {
        self.asked.push(key);
        let result = match self.table.remove(key) {
            None => Err("is missing".to_owned()),
            Some(Value::String(text)) => read(&text),
            Some(other) => Err(format!("must be text in quotes, not {}", other.type_str())),
        };
        result.map_err(|problem| self.fault(key, problem)).ok()
    }

    /// The texts under `key`, where there are any.
    pub(super) fn take_list(&mut self, key: &'static str) -> Option<Vec<String>> {
        self.asked.push(key);
        let text = |value| match value {
            Value::String(text) => Some(text),
            _ => None,
        };
        let list = match self.table.remove(key)? {
            Value::Array(list) => list.into_iter().map(text).collect(),
            _ => None,
        };
        if list.is_none() {
            self.fault(key, "must be a list of texts, such as [\"delivery\"]");
        }
        list
    }

    /// The table under `key`, where there is one.
    pub(super) fn take_section(&mut self, key: &'static str) -> Option<Table> {
        self.asked.push(key);
        match self.table.remove(key)? {
            Value::Table(table) => Some(table),
            other => {
                self.fault(key, format!("must be a section [{key}], not {}", other.type_str()));
                None
            }
        }
    }

    /// Notes what is wrong with `key`.
    pub(super) fn fault(&mut self, key: &str, problem: impl Into<String>) {
        let dot = if self.name.is_empty() { "" } else { "." };
        let key = format!("{}{dot}{key}", self.name);
        self.faults.push(Fault { key, problem: problem.into() });
    }

    /// Every key that nobody asked for is a fault: it is misspelt, or has no effect.
    pub(super) fn finish(mut self) {
        let known = self.asked.join(", ");
        for key in std::mem::take(&mut self.table).keys() {
            self.fault(key, format!("is not known here; known are {known}"));
        }
    }
}
