//! JSON that somebody else wrote, or changed.

use proptest::collection::{btree_map, vec};
use proptest::prelude::*;
use proptest::sample::Index;
use serde_json::Value;

/// Any JSON, of names that mean something to us and others.
pub(crate) fn any_json() -> impl Strategy<Value = Value> {
    let name = prop_oneof![
        "v|id|ok|error|code|why|group|seq|epoch|message|receipt|blob|sha256|size|algorithm",
        "ciphertext|hub_info|find_group|room|network|address|users|client|tree|welcome|text",
        "\\PC{0,8}",
    ];
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        "[0-9a-f]{0,64}|[A-Za-z0-9+/]{0,20}=?|matrix|xmpp|\\PC{0,12}".prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 32, 6, move |inner| {
        prop_oneof![
            vec(inner.clone(), 0..5).prop_map(Value::from),
            btree_map(name.clone(), inner, 0..6)
                .prop_map(|fields| Value::Object(fields.into_iter().collect())),
        ]
    })
}

/// One value somewhere in a content, replaced or taken away.
#[derive(Clone, Debug)]
pub(crate) struct Change {
    path: Vec<Index>,
    by: Option<Value>,
}

/// A change.
pub(crate) fn change() -> impl Strategy<Value = Change> {
    let by = prop::option::of(any_json());
    (vec(any::<Index>(), 1..4), by).prop_map(|(path, by)| Change { path, by })
}

impl Change {
    /// The content, changed.
    pub(crate) fn done_to(&self, mut content: Value) -> Value {
        let mut at = &mut content;
        let (last, way) = self.path.split_last().unwrap();
        for index in way {
            match child(at, index) {
                Some(name) => at = at.get_mut(name).unwrap(),
                None => break,
            }
        }
        if let (Some(name), Value::Object(fields)) = (child(at, last), at) {
            match &self.by {
                Some(value) => fields.insert(name, value.clone()),
                None => fields.remove(&name),
            };
        }
        content
    }
}

/// The name of one of the fields of an object.
fn child(value: &Value, index: &Index) -> Option<String> {
    let fields = value.as_object().filter(|fields| !fields.is_empty())?;
    fields.keys().nth(index.index(fields.len())).cloned()
}
