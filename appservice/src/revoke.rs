//! `mls-bridge revoke`: who counts no more, by the operator's word. The running server follows the order at
//! once; where none runs, it is written into the database and goes out with the next start.

mod answer;
mod whom;

use std::path::Path;

use mls_core::hub::{HubSetup, OperatorAnswer, OperatorOrder};
use storage::{Database, Role};

use crate::authority;
use crate::command_line::{Exit, RevokeArguments};
use crate::operator_socket;
use crate::runtime::Decision;

/// Has the order followed, and says what came of it.
pub fn revoke(arguments: &RevokeArguments) -> Exit {
    let order = match order(arguments) {
        Ok(order) => order,
        Err(why) => return fault(&why, Exit::Faulty),
    };
    let (config, setup) = match authority::load(&arguments.config.config) {
        Ok(loaded) => loaded,
        Err(faults) => return fault(&faults.to_string(), Exit::Faulty),
    };
    let socket = operator_socket::path(&config.database);
    let answered = match operator_socket::ask(&socket, &order) {
        Ok(Some(answer)) => Ok((answer, true)),
        Ok(None) => write(&config.database, &setup, order.clone()).map(|answer| (answer, false)),
        Err(error) => {
            let why = format!("the running server at {}: {error}", socket.display());
            return fault(&why, Exit::Failed);
        }
    };
    match answered {
        Ok((OperatorAnswer::Refused(why), _)) => fault(&why, Exit::Failed),
        Ok((answer, runs)) => {
            print!("{}", answer::show(&order, &answer, runs, arguments.json));
            Exit::Done
        }
        Err(why) => fault(&why, Exit::Database),
    }
}

fn order(arguments: &RevokeArguments) -> Result<OperatorOrder, String> {
    // Without --list the command line asks for somebody.
    let Some(named) = &arguments.whom else { return Ok(OperatorOrder::List) };
    let whom = whom::from_human(named)?;
    if arguments.if_gone {
        return Ok(OperatorOrder::LookAt(whom.user()));
    }
    Ok(if arguments.undo { OperatorOrder::Undo(whom) } else { OperatorOrder::Revoke(whom) })
}

/// Follows the order in the database of a server that does not run.
fn write(
    database: &Path,
    setup: &HubSetup,
    order: OperatorOrder,
) -> Result<OperatorAnswer, String> {
    let failed = |error: &dyn std::fmt::Display| format!("database: {error}");
    let database = Database::open(database, Role::Hub, None).map_err(|e| failed(&e))?;
    if let Some(text) = authority::other_root(setup, &database).map_err(|e| failed(&e))? {
        return Err(format!("the authority: {text}"));
    }
    let followed = Decision::open(setup, &database).and_then(|mut decision| {
        let answer = decision.order(order)?;
        decision.commit().map(|()| answer)
    });
    followed.map_err(|e| failed(&e))
}

fn fault(why: &str, exit: Exit) -> Exit {
    eprintln!("mls-bridge revoke: {why}");
    exit
}
