//! The list for a delivery service that is another process: at once where it changed, and again with ticks.

use std::fs;
use std::sync::{Arc, Mutex};

use mls_core::address::UserId;
use mls_core::hub::{OperatorAnswer, OperatorOrder, Whom};
use storage::{Database, Role};
use tokio::sync::{mpsc, oneshot};

use super::{Fake, setup};
use crate::apart::{Publisher, REVOKED};
use crate::operator_socket::Ordered;
use crate::runtime::{Beside, Decision, Runtime, Work};

#[test]
fn a_list_that_could_not_be_written_is_tried_again_with_the_next_tick_and_not_before() {
    let folder = tempfile::tempdir().unwrap();
    let published = folder.path().join("published");
    let database = Database::open(&folder.path().join("hub.db"), Role::Hub, None).unwrap();
    let decision = Decision::open(&setup(), &database).unwrap();
    let publisher = Publisher::start(&published, &[]).unwrap();
    let (told, _attempts) = mpsc::unbounded_channel();
    let carrier = Arc::new(Fake { told, script: Mutex::default() });
    let ((_deliverer, deliveries), (_operator, orders)) = (mpsc::channel(1), mpsc::channel(1));
    let runtime = Runtime::new(setup(), database, decision, carrier, deliveries, orders);
    let mut runtime = runtime.beside(Beside::Delivery(publisher));
    let list = published.join(REVOKED);
    runtime.turn(vec![Work::Tick]).unwrap();
    assert!(list.exists());
    fs::remove_dir_all(&published).unwrap();
    let (done, mut answer) = oneshot::channel();
    let order = OperatorOrder::Revoke(Whom::User(UserId::matrix("@bob:example.org").unwrap()));
    runtime.turn(vec![Work::Ordered(Ordered { order, done })]).unwrap();
    assert!(matches!(answer.try_recv(), Ok(OperatorAnswer::Done(_))));
    fs::create_dir_all(&published).unwrap();
    runtime.turn(vec![Work::Due]).unwrap();
    assert!(!list.exists(), "tried with every turn");
    runtime.turn(vec![Work::Tick]).unwrap();
    assert!(list.exists());
}
