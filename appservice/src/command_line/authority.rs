//! `mls-bridge authority`: making what signs certificates, and putting it into use.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::ConfigArgument;

/// What the three commands are for together.
const WHY: &str = "\
Members pin one certificate of your domain, the root, and believe every certificate that leads to it.
So the root's key is worth everything, and mls-bridge never needs it: it signs with an intermediate
that the root has signed for a year. Keep the root offline:

  1. On a machine that stays off the network, or a disk that you lock away:
       mls-bridge authority root --name 'Example root' --out /media/safe/root
  2. There, once a year:
       mls-bridge authority intermediate --root /media/safe/root --name 'Example 2027' --out online
  3. Copy chain.pem and authority.key to the server, and name them in mls-bridge.toml:
       [authority]
       chain = \"chain.pem\"
       key = \"authority.key\"
  4. mls-bridge check, then start mls-bridge anew. Where members have pinned another root (such as
     the hub's own key, which is what signs without [authority]): mls-bridge authority replace, once.

Where the key is in a PKCS #11 token (an HSM), `authority request` asks for its certificate, step 2 has
--request, and [authority.pkcs11] with module, token, key and pin_file stands in the place of key.

An intermediate that was stolen signs until it ends; a root that was stolen, for ever.";

/// Making what signs certificates, and putting it into use.
#[derive(Debug, Subcommand)]
#[command(after_help = WHY)]
pub enum AuthorityCommand {
    /// Make a root: a key and its certificate. Do this where no network is.
    Root(RootArguments),
    /// Have a root sign an intermediate, which mls-bridge signs with.
    Intermediate(IntermediateArguments),
    /// Ask for an intermediate's certificate for a key in a PKCS #11 token, which never leaves it.
    Request(RequestArguments),
    /// Let the configured authority's root take the place of the one that members have pinned; stop
    /// mls-bridge first.
    Replace(ConfigArgument),
}

/// Which key in a token.
#[derive(Debug, Args)]
#[command(after_help = WHY)]
pub struct RequestArguments {
    /// The PKCS #11 library of the token.
    #[arg(long, value_name = "FILE")]
    pub module: PathBuf,
    /// The token's label.
    #[arg(long, value_name = "LABEL")]
    pub token: String,
    /// The label of the private key, Ed25519 or P-256, and of its public key.
    #[arg(long, value_name = "LABEL")]
    pub key: String,
    /// A file with the user's PIN, which only you may read.
    #[arg(long, value_name = "FILE")]
    pub pin_file: PathBuf,
    /// The folder for request.pem; it is made where it is missing.
    #[arg(long, value_name = "DIR")]
    pub out: PathBuf,
}

/// How the root is made.
#[derive(Debug, Args)]
#[command(after_help = WHY)]
pub struct RootArguments {
    /// Its name, for people: who you are.
    #[arg(long)]
    pub name: String,
    /// The folder for root.key, which only you may read, and root.pem; it is made where it is missing.
    #[arg(long, value_name = "DIR")]
    pub out: PathBuf,
}

/// How the intermediate is made.
#[derive(Debug, Args)]
#[command(after_help = WHY)]
pub struct IntermediateArguments {
    /// The folder with root.key and root.pem.
    #[arg(long, value_name = "DIR")]
    pub root: PathBuf,
    /// Its name, for people: what it is for, and which one it is.
    #[arg(long)]
    pub name: String,
    /// For how long it may sign. No certificate of a device outlasts it, and in its last 14 days none
    /// is made.
    #[arg(long, default_value_t = 365, value_parser = clap::value_parser!(u32).range(15..=7300))]
    pub days: u32,
    /// What `authority request` wrote: the intermediate's key is in a token. A new one otherwise.
    #[arg(long, value_name = "FILE")]
    pub request: Option<PathBuf>,
    /// The folder for chain.pem and authority.key; it is made where it is missing.
    #[arg(long, value_name = "DIR")]
    pub out: PathBuf,
}
