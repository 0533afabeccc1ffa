//! The table of what was measured, and how many times bare mls-rs it is.

use super::{MEMBERS, MESSAGES, MESSAGES_PER_TICK, Measured, Ours, Spreads, TEXT};
use crate::spread::Spread;

/// What is aimed at: durable encryption at 1,000 members, times bare mls-rs.
const AIM: f64 = 3.0;

pub(super) fn print(measured: &[Measured; 2]) {
    println!("\nMessages: {MESSAGES} of {TEXT} characters, one after the other, in microseconds");
    let columns = format!("{:>8} {:>8} {:>8} {:>8}", "median", "95 %", "mean", "longest");
    println!("{:50} {columns}   {columns}", "");
    let head = MEMBERS.map(|members| format!("{:35}", format!("in a group of {members}")));
    println!("{:50} {}   {}", "", head[0], head[1]);
    let row = |name: &str, of: &dyn Fn(&Measured) -> Spread| {
        println!("{name:50} {}   {}", of(&measured[0]), of(&measured[1]));
    };
    row("encrypt: bare mls-rs, kept in memory", &|m| m.bare.encrypt);
    row("         bare mls-rs, after a sync of another file", &|m| m.bare.encrypt_after_sync);
    row("         bare mls-rs, whole group written", &|m| m.bare.encrypt_and_write);
    row("         member, decided, not yet written", &|m| m.ours.send.decided);
    row("         member, durable: it may leave", &|m| m.ours.send.durable);
    row("         the same, of four given at once, each", &|m| m.ours.together);
    row("         member, synced: the command is answered", &|m| m.ours.send.synced);
    row("         member, confirmed, back, shown", &|m| m.ours.send.after);
    row("decrypt: bare mls-rs, kept in memory", &|m| m.bare.decrypt);
    row("         bare mls-rs, after a sync of another file", &|m| m.bare.decrypt_after_sync);
    row("         bare mls-rs, whole group written", &|m| m.bare.decrypt_and_write);
    row("         member, decided, not yet written", &|m| m.ours.receive.decided);
    row("         member, durable: it may be shown", &|m| m.ours.receive.durable);
    row("         member, shown", &|m| m.ours.receive.after);
    row("one row written and synced: the disk's share", &|m| m.row);
    for (m, members) in measured.iter().zip(MEMBERS) {
        let micros = |spreads: &Spreads| spreads.ticks.as_secs_f64() * 1e6;
        println!(
            "Ticks, one for {MESSAGES_PER_TICK} messages, at {members}: sender {:.0}, reader {:.0} \
             microseconds a message",
            micros(&m.ours.send),
            micros(&m.ours.receive),
        );
    }
    ratios(measured);
}

fn ratios(measured: &[Measured; 2]) {
    let [small, large] = measured;
    let (ours, bare) = (&large.ours, &large.bare);
    for (what, ours, together, bare, after_sync, bare_written) in [
        (
            "encrypt",
            &ours.send,
            Some(ours.together),
            bare.encrypt,
            bare.encrypt_after_sync,
            bare.encrypt_and_write,
        ),
        (
            "decrypt",
            &ours.receive,
            None,
            bare.decrypt,
            bare.decrypt_after_sync,
            bare.decrypt_and_write,
        ),
    ] {
        let verdict = |ratio: f64| if ratio <= AIM { "within" } else { "NOT within" };
        let line = |name: &str, ours: &Spread| {
            let (median, mean) = (ours.times(&bare), ours.times_by_mean(&bare));
            println!(
                "  {name:15} {median:5.1} times bare mls-rs in memory by the median ({} the aim of \
                 {AIM}), {mean:5.1} by the mean ({}); {:.1} times the same after a sync",
                verdict(median),
                verdict(mean),
                ours.times(&after_sync),
            );
        };
        println!("{what} at {} members:", MEMBERS[1]);
        line("before the disk", &ours.decided);
        line("durable", &ours.durable);
        if let Some(together) = together {
            line("of four at once", &together);
        }
        line("synced", &ours.synced);
        line("one synced row", &large.row);
        let written = ours.synced.times(&bare_written);
        println!("  synced is {written:.2} times bare mls-rs that writes its group as durably");
    }
    let grows = |of: fn(&Ours) -> Spread, by: fn(&Spread, &Spread) -> f64| {
        by(&of(&large.ours), &of(&small.ours))
    };
    println!(
        "From {} to {} members, before the disk: encrypt {:.2} times (by the mean {:.2}), decrypt \
         {:.2} times ({:.2})",
        MEMBERS[0],
        MEMBERS[1],
        grows(|ours| ours.send.decided, Spread::times),
        grows(|ours| ours.send.decided, Spread::times_by_mean),
        grows(|ours| ours.receive.decided, Spread::times),
        grows(|ours| ours.receive.decided, Spread::times_by_mean),
    );
}
