//! What `init` must know, from the command line or asked on the terminal.

use std::io::{self, BufRead, IsTerminal, Write};
use std::path::{Path, PathBuf};

use matrix_adapter::is_protected;
use url::Url;

use super::InitError;
use crate::command_line::{InitArguments, InitRole};
use crate::config::Fault;

/// Where mls-bridge listens when nothing else is said.
const LISTEN: &str = "127.0.0.1:29341";
/// The same of an authority alone, beside the delivery service.
const AUTHORITY_LISTEN: &str = "127.0.0.1:29342";
/// Where Prosody takes components when nothing else is said.
const COMPONENT_ADDRESS: &str = "127.0.0.1:5347";

/// What `init` writes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answers {
    /// Which services it is to be.
    pub role: InitRole,
    /// Where the authority's files are, for a delivery service alone.
    pub published: PathBuf,
    /// Matrix, where it is to be served.
    pub matrix: Option<MatrixAnswers>,
    /// XMPP, where it is to be served.
    pub xmpp: Option<XmppAnswers>,
}

/// Of the homeserver.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MatrixAnswers {
    /// Where it is reached.
    pub homeserver: String,
    /// What stands after the colon of user ids.
    pub server_name: String,
    /// Where it reaches us, as we bind it.
    pub listen: String,
    /// Where it reaches us, as it calls it.
    pub appservice_url: Url,
}

/// Of the XMPP server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct XmppAnswers {
    /// The accounts' domain.
    pub domain: String,
    /// Our domain.
    pub component: String,
    /// The component port.
    pub address: String,
    /// The multi-user chat service.
    pub muc_service: String,
}

/// Somebody who may be asked.
pub trait Ask {
    /// The answer, trimmed, perhaps empty; `None` where nobody can be asked.
    fn ask(&mut self, question: &str) -> Option<io::Result<String>>;
}

/// Whoever sits at the terminal, if anybody does.
pub struct Terminal;

impl Ask for Terminal {
    fn ask(&mut self, question: &str) -> Option<io::Result<String>> {
        if !io::stdin().is_terminal() {
            return None;
        }
        let mut line = String::new();
        // Standard output is for what comes out in the end.
        let mut out = io::stderr();
        let asked = write!(out, "{question}: ").and_then(|()| out.flush());
        let read = asked.and_then(|()| io::stdin().lock().read_line(&mut line));
        Some(read.map(|_| line.trim().to_owned()))
    }
}

impl Answers {
    /// Takes what is given and asks for the rest. Without a homeserver URL and without any other
    /// option of Matrix, Matrix is left out; XMPP likewise.
    pub fn collect(given: &InitArguments, ask: &mut dyn Ask) -> Result<Self, InitError> {
        let mut questions = Questions { ask };
        let matrix = questions.matrix(given)?;
        let xmpp = questions.xmpp(given)?;
        if matrix.is_none() && xmpp.is_none() {
            return Err(InitError::NoNetwork);
        }
        let published = match &given.published {
            Some(folder) => absolute(folder)?,
            None => PathBuf::from("authority"),
        };
        Ok(Self { role: given.role, published, matrix, xmpp })
    }
}

/// A folder that was typed means the same from everywhere: in the configuration it would be one beside that.
fn absolute(folder: &Path) -> Result<PathBuf, InitError> {
    std::path::absolute(folder).map_err(|source| InitError::File {
        what: "find the folder",
        path: folder.to_owned(),
        source,
    })
}

/// What a service is called by default: a localpart, or a component before its server's domain.
pub(super) fn own_name(role: InitRole) -> &'static str {
    match role {
        InitRole::Both | InitRole::Delivery => "mls",
        InitRole::Authentication => "authority",
    }
}

struct Questions<'a> {
    ask: &'a mut dyn Ask,
}

impl Questions<'_> {
    fn matrix(&mut self, given: &InitArguments) -> Result<Option<MatrixAnswers>, InitError> {
        let wanted = [&given.server_name, &given.listen, &given.appservice_url];
        let wanted = wanted.iter().any(|option| option.is_some());
        let question = "URL of the homeserver, such as http://127.0.0.1:8008 (empty: no Matrix)";
        let homeserver = self.first(&given.homeserver_url, wanted, "--homeserver-url", question)?;
        let Some(homeserver) = homeserver else { return Ok(None) };
        let question = "Server name, as in @alice:SERVER NAME";
        let server_name = self.required(&given.server_name, "--server-name", question)?;
        let alone = given.role == InitRole::Authentication;
        let listen = if alone { AUTHORITY_LISTEN } else { LISTEN };
        let question = "Where mls-bridge listens for the homeserver";
        let listen = self.with_default(&given.listen, listen.to_owned(), question)?;
        let url = given.appservice_url.clone().unwrap_or_else(|| format!("http://{listen}"));
        // Where nothing is given, what is wrong is wrong with the address.
        let fit = |url: &Url| given.appservice_url.is_none() || is_protected(url);
        let appservice_url = appservice_url_of(&url, fit).map_err(|problem| {
            InitError::Faulty(vec![Fault { key: "--appservice-url".to_owned(), problem }])
        })?;
        Ok(Some(MatrixAnswers { homeserver, server_name, listen, appservice_url }))
    }

    fn xmpp(&mut self, given: &InitArguments) -> Result<Option<XmppAnswers>, InitError> {
        let wanted = [&given.component_address, &given.component_domain, &given.muc_service];
        let wanted = wanted.iter().any(|option| option.is_some());
        let question = "Domain of the XMPP accounts (empty: no XMPP)";
        let domain = self.first(&given.xmpp_domain, wanted, "--xmpp-domain", question)?;
        let Some(domain) = domain else { return Ok(None) };
        let question = "Component port of the XMPP server";
        let address =
            self.with_default(&given.component_address, COMPONENT_ADDRESS.to_owned(), question)?;
        let question = "Domain of mls-bridge itself";
        let component = self.with_default(
            &given.component_domain,
            format!("{}.{domain}", own_name(given.role)),
            question,
        )?;
        let question = "Multi-user chat service";
        let muc_service =
            self.with_default(&given.muc_service, format!("conference.{domain}"), question)?;
        Ok(Some(XmppAnswers { domain, component, address, muc_service }))
    }

    /// The answer that decides whether a network is served at all.
    fn first(
        &mut self,
        given: &Option<String>,
        wanted: bool,
        option: &'static str,
        question: &str,
    ) -> Result<Option<String>, InitError> {
        if given.is_some() {
            return Ok(given.clone());
        }
        match self.answer(question)? {
            Some(answer) => Ok(Some(answer)),
            None if wanted => Err(InitError::Missing { option }),
            None => Ok(None),
        }
    }

    fn required(
        &mut self,
        given: &Option<String>,
        option: &'static str,
        question: &str,
    ) -> Result<String, InitError> {
        match given {
            Some(given) => Ok(given.clone()),
            None => self.answer(question)?.ok_or(InitError::Missing { option }),
        }
    }

    fn with_default(
        &mut self,
        given: &Option<String>,
        default: String,
        question: &str,
    ) -> Result<String, InitError> {
        match given {
            Some(given) => Ok(given.clone()),
            None => Ok(self.answer(&format!("{question} [{default}]"))?.unwrap_or(default)),
        }
    }

    /// The answer, unless it is empty or nobody can be asked.
    fn answer(&mut self, question: &str) -> Result<Option<String>, InitError> {
        let answer = self.ask.ask(question).transpose().map_err(InitError::Terminal)?;
        Ok(answer.filter(|answer| !answer.is_empty()))
    }
}

/// Where the homeserver reaches us: its token travels there, so never in clear off this machine.
fn appservice_url_of(text: &str, fit: impl Fn(&Url) -> bool) -> Result<Url, String> {
    let url = Url::parse(text)
        .map_err(|_| format!("{text:?} is not a URL such as http://127.0.0.1:29341"))?;
    if fit(&url) {
        Ok(url)
    } else {
        Err("must be https, or http on this machine (the token would go in clear)".to_owned())
    }
}
