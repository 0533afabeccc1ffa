//! For `mls-bridge check`: tries the connection and all that a group will need, and says what is
//! wrong and how to mend it.

use std::sync::Arc;

use minidom::Element;
use thiserror::Error;
use tokio::sync::{mpsc, watch};

use super::{Component, ComponentSetup, OpenError, open};
use crate::limits::INCOMING_MAX;
use crate::mapping::namespace::{COMPONENT, DISCO_INFO, MUC};
use crate::mapping::{ghost, room_config};
use crate::session::link::{self, Ends};
use crate::session::{Failure, Session};

/// What is wrong; each says how to mend it.
#[derive(Debug, Error)]
pub enum CheckError {
    /// There is no connection.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The connection did not last.
    #[error("the XMPP server ended the connection while it was tried: {0}")]
    Ended(String),
    /// There is no MUC service.
    #[error(
        "{domain} is no multi-user chat service ({why}): add `Component \"{domain}\" \"muc\"` \
        with `modules_enabled = {{ \"muc_mam\" }}` to Prosody's configuration, or name another"
    )]
    NoMuc {
        /// The service, as it was configured.
        domain: String,
        /// What it says.
        why: String,
    },
    /// It lets us make no rooms.
    #[error(
        "{domain} lets us make no room ({why}): set `restrict_room_creation = false` in its \
        section of Prosody's configuration"
    )]
    NoRooms {
        /// The service, as it was configured.
        domain: String,
        /// What it says.
        why: String,
    },
    /// It makes rooms, but none for a group.
    #[error(
        "the rooms of {domain} are not fit for groups, which need that {lack}: enable the \
        modules for that in its section of Prosody's configuration (`muc_mam` for archives)"
    )]
    NotFit {
        /// The service, as it was configured.
        domain: String,
        /// What its rooms lack.
        lack: String,
    },
}

impl Component {
    /// Connects once, looks, makes a room that vanishes at once, and disconnects. An mls-bridge
    /// that runs meanwhile may lose its connection for a moment.
    ///
    /// Gives what an operator should look at, where it cannot be tried from here.
    pub async fn check(setup: &ComponentSetup) -> Result<Vec<String>, CheckError> {
        open::validate(setup)?;
        let stream = open::open(setup).await?;
        let session = Session::new(COMPONENT);
        let me = format!("{}@{}/check", ghost::HUB, setup.domain);
        let ends =
            Ends { me: me.clone(), from: setup.domain.clone(), server: setup.xmpp_domain.clone() };
        // Nobody looks at what comes in by itself; that ends nothing as long as there is room.
        let (events, mut events_in) = mpsc::channel(INCOMING_MAX);
        let drain = tokio::spawn(async move { while events_in.recv().await.is_some() {} });
        let (stop, stopped) = watch::channel(false);
        let asks = Arc::new(session.clone());
        let checked = tokio::select! {
            ended = link::run(&session, stream, ends, &events, stopped) => {
                Err(CheckError::Ended(ended.unwrap_or_default()))
            }
            checked = async {
                let checked = look(&asks, setup, &me).await;
                stop.send_replace(true);
                checked
            } => checked,
        };
        drain.abort();
        checked
    }
}

async fn look(
    session: &Session,
    setup: &ComponentSetup,
    me: &str,
) -> Result<Vec<String>, CheckError> {
    while !session.is_up() {
        tokio::task::yield_now().await;
    }
    let domain = setup.muc_service.clone();
    let no_muc = |why: String| CheckError::NoMuc { domain: domain.clone(), why };
    let query = Element::bare("query", DISCO_INFO);
    let disco = session.ask("get", Some(&setup.domain), &domain, query).await;
    let disco = disco.map_err(|failure| no_muc(failure.to_string()))?;
    let query = disco.get_child("query", DISCO_INFO);
    let mut features = query.into_iter().flat_map(Element::children);
    if !features.any(|feature| feature.attr("var") == Some(MUC)) {
        return Err(no_muc("it does not offer rooms".to_owned()));
    }
    let room = format!("mls-bridge-check-{}@{domain}", std::process::id());
    match session.enter(me, &room, "check").await {
        Ok(_) => {
            let tried = try_room(session, &domain, &room, me).await;
            // It vanishes when we leave.
            let _ = session.leave(me, &room, "check").await;
            tried?;
        }
        Err(Failure::Refused(error)) => {
            return Err(CheckError::NoRooms { domain, why: error.to_string() });
        }
        Err(failure) => return Err(CheckError::Ended(failure.to_string())),
    }
    Ok(vec![
        "a component cannot see how another server authenticated itself: Prosody's configuration \
         should have `s2s_secure_auth = true`"
            .to_owned(),
        "after a crash Prosody refuses our new connection until the old one is dead, unless the \
         component's section has `component_conflict_resolve = \"kick_old\"`"
            .to_owned(),
    ])
}

/// Configures a new room as a group's are, and looks at what came of it.
async fn try_room(session: &Session, domain: &str, room: &str, me: &str) -> Result<(), CheckError> {
    let ask = async |kind, payload| session.ask(kind, Some(me), room, payload).await;
    let tried = async {
        let offer = ask("get", room_config::form_request()).await?;
        ask("set", room_config::filled_on_trial(&offer)).await?;
        ask("get", Element::bare("query", DISCO_INFO)).await
    };
    let lack = match tried.await {
        Ok(disco) => room_config::lacks_on_trial(&disco).join("; that "),
        Err(Failure::Refused(error)) => format!("they can be configured ({error})"),
        Err(failure) => return Err(CheckError::Ended(failure.to_string())),
    };
    match lack.is_empty() {
        true => Ok(()),
        false => Err(CheckError::NotFit { domain: domain.to_owned(), lack }),
    }
}
