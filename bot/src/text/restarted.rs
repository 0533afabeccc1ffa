//! A restart, as a sentence that says what nobody has proved.

use super::{short, who};

/// The former group, the one in its place, who added this device, and who is not as before.
pub(super) fn render(
    [group, successor, by]: [&str; 3],
    changed: &[String],
    unknown: &[String],
) -> String {
    let mut text = format!(
        "{} was restarted by {} as {}; nothing proves that the new group follows it: compare members \
         and keys with the others over another way",
        short(group),
        who(by),
        short(successor)
    );
    for (clients, what) in
        [(changed, "with another key than before"), (unknown, "who were not in it before")]
    {
        if !clients.is_empty() {
            let clients: Vec<_> = clients.iter().map(|client| who(client)).collect();
            text.push_str(&format!(". Members {what}: {}", clients.join(", ")));
        }
    }
    text
}
