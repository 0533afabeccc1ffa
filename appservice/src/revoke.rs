//! `mls-bridge revoke`: who counts no more, by the operator's word. The running server follows the order at
//! once; where none runs, it is written into the database and goes out with the next start.

mod answer;
mod whom;

use mls_core::hub::{HubSetup, OperatorAnswer, OperatorOrder};

use crate::authority::{self, OpenError, open_database};
use crate::command_line::{Exit, RevokeArguments};
use crate::config::Config;
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
        Ok(None) => write(&config, &setup, order.clone()).map(|answer| (answer, false)),
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
        Err(error) => fault(&error.to_string(), error.exit()),
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
    config: &Config,
    setup: &HubSetup,
    order: OperatorOrder,
) -> Result<OperatorAnswer, OpenError> {
    let database = open_database(config, setup)?;
    let mut decision = Decision::open(setup, &database)?;
    let answer = decision.order(order)?;
    decision.commit()?;
    Ok(answer)
}

fn fault(why: &str, exit: Exit) -> Exit {
    eprintln!("mls-bridge revoke: {why}");
    exit
}
