//! The two services as two processes: the authority writes its roots and its signed list of who is revoked into a
//! folder, and the delivery service follows that list. How the files get from one machine to the other is the
//! operator's; the list is signed, so whoever carries it can only keep it back.

mod follow;
mod publish;

use mls_core::hub;
use mls_core::identity::is_anchor;

pub use follow::{Found, Listed, follow};
pub use publish::{Publisher, REVOKED, ROOTS, publishes};

use crate::authority::pem::read_certificates;
use crate::config::{Fault, Roles};

/// What the hub opens with, of what the configuration says.
pub(crate) fn roles(config: &Roles) -> Result<hub::Roles, Fault> {
    match config {
        Roles::Both => Ok(hub::Roles::Both),
        Roles::Authentication(other) => {
            Ok(hub::Roles::Authentication { delivery: other.address.clone() })
        }
        Roles::Delivery(other) => {
            let fault = |problem| Fault { key: "authority.roots".to_owned(), problem };
            let roots = read_certificates(&other.roots).map_err(|why| {
                fault(format!("{why}; the authority writes it into its folder when it starts"))
            })?;
            if !roots.iter().all(|root| is_anchor(root)) {
                let file = other.roots.display();
                return Err(fault(format!("{file} holds another certificate than a root")));
            }
            Ok(hub::Roles::Delivery { authority: other.address.clone(), roots })
        }
    }
}
