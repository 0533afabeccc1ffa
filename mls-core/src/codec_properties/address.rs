//! Text forms of users and clients: one for each, and no text makes their readers panic.

use proptest::prelude::*;

use crate::address::{ClientId, UserId};

/// Texts that are close to an address, and any others.
fn text() -> impl Strategy<Value = String> {
    let close = "(matrix:u/|xmpp:|@)?[a-z%./\u{fc}]{0,6}[@:][a-z%.:@]{0,6}(/[0-9a-f%]{0,16})?";
    prop_oneof![close, "\\PC{0,40}", any::<String>()]
}

proptest! {
    #[test]
    fn a_user_comes_back_from_its_text_form_and_from_what_its_network_writes(user: UserId) {
        prop_assert_eq!(UserId::parse(user.as_str()), Ok(user.clone()));
        prop_assert_eq!(UserId::from_human(user.as_str()), Ok(user.clone()));
        prop_assert_eq!(UserId::from_human(&user.address()), Ok(user.clone()));
        prop_assert!(user.address().ends_with(&user.domain()));
    }

    #[test]
    fn a_client_comes_back_from_its_text_form_and_from_its_parts(client: ClientId) {
        prop_assert_eq!(ClientId::parse(client.as_str()), Ok(client.clone()));
        prop_assert_eq!(client.user().device(&client.device()), Ok(client.clone()));
        prop_assert_eq!(client.network(), client.user().network());
        prop_assert!(UserId::parse(client.as_str()).is_err(), "a client reads as a user");
    }

    #[test]
    fn a_text_that_is_read_is_the_one_form_of_what_was_read(text in text()) {
        if let Ok(user) = UserId::parse(&text) {
            prop_assert_eq!(user.as_str(), text.as_str());
        }
        if let Ok(client) = ClientId::parse(&text) {
            prop_assert_eq!(client.as_str(), text.as_str());
            prop_assert_eq!(UserId::parse(client.user().as_str()), Ok(client.user()));
        }
    }

    #[test]
    fn what_a_person_types_is_refused_or_has_a_text_form_that_is_read(
        text in text(), device in "[0-9a-f]{16}"
    ) {
        if let Ok(user) = UserId::from_human(&text) {
            prop_assert_eq!(UserId::parse(user.as_str()), Ok(user.clone()));
            let client = user.device(&device).unwrap();
            prop_assert_eq!(ClientId::parse(client.as_str()), Ok(client));
        }
    }
}
