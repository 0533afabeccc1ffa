//! Requests: each goes to the file of its name; here is what all have in common.

use mls_rs_codec::MlsEncode;

use super::answers::Asked;
use super::turn::{Stop, Turn, invalid, machine};
use super::{AnswerEffect, Effect, Reply, RequestInput, SealedInput};
use crate::engine::sha256;
use crate::seal::answer_key::AnswerKey;
use crate::store::StoreError;
use crate::wire::refusal::Refusal;
use crate::wire::{Answer, Request, RequestId};

/// Characters of a request's id.
const ID_CHARS_MAX: usize = 64;

impl Turn<'_> {
    /// Answers a request, now or when a job is done. A refused one leaves nothing but its answer.
    pub(super) fn request(
        &mut self,
        input: RequestInput,
        answer_key: Option<AnswerKey>,
    ) -> Result<(), StoreError> {
        let RequestInput { from, reply_to, id, request } = input;
        let digest = sha256(&request.mls_encode_to_vec().map_err(machine)?);
        let asked = Asked { from, reply_to, id, request: digest, answer_key };
        match self.answer_once(&asked, request) {
            Ok(Some(answer)) => self.reply(&asked, Reply::Ok(answer)),
            Ok(None) => Ok(()),
            Err(Stop::Refused(refusal)) => {
                self.store.discard();
                self.groups.forget_changes();
                self.effects.clear();
                self.reply(&asked, Reply::Refused(refusal))
            }
            Err(Stop::Failed(error)) => Err(error),
        }
    }

    /// Opens a request, whose answer goes back sealed. Only the current key opens: whoever knows an
    /// older one learns by the refusal that it was replaced.
    pub(super) fn sealed_request(&mut self, input: SealedInput) -> Result<(), StoreError> {
        let SealedInput { from, reply_to, id, sealed } = input;
        match self.keys.current.seal.open(&sealed, &id, &from) {
            Ok((request, answer_key)) => {
                let input = RequestInput { from, reply_to, id, request };
                self.request(input, Some(answer_key))
            }
            Err(_) => {
                let reply = Reply::Refused(Refusal::NotOpened);
                self.effects.push(Effect::Answer(AnswerEffect { to: reply_to, id, reply }));
                Ok(())
            }
        }
    }

    fn answer_once(&mut self, asked: &Asked, request: Request) -> Result<Option<Answer>, Stop> {
        if !is_request_id(&asked.id) {
            return Err(invalid("a request's id is 1 to 64 of A-Z a-z 0-9 - _"));
        }
        if let Some(given) = self.given_before(asked)? {
            return match given.request == asked.request {
                true => Ok(Some(given.answer)),
                false => Err(invalid("this id was used for another request: choose a new one")),
            };
        }
        let remembered = matches!(
            request,
            Request::PublishKeyPackages(_)
                | Request::ReportInvalid(_)
                | Request::LeaveRoom(_)
                | Request::AskToJoin(_)
                | Request::Knock(_)
                | Request::DenyKnock(_)
                | Request::IssueCredential(_)
                | Request::RevokeDevice(_)
        );
        self.refuse_others(&request)?;
        let answer = self.answer(asked, request)?;
        if let (true, Some(answer)) = (remembered, &answer) {
            self.remember(asked, answer)?;
        }
        Ok(answer)
    }

    fn answer(&mut self, asked: &Asked, request: Request) -> Result<Option<Answer>, Stop> {
        let from = &asked.from;
        match request {
            Request::HubInfo => self.hub_info(),
            Request::CreateRoom(request) => return self.create_room(asked, request),
            Request::FindGroup(request) => self.find_group(from, &request),
            Request::RegisterGroup(request) => self.register_group(from, &request),
            Request::PublishKeyPackages(request) => self.publish_key_packages(from, &request),
            Request::ClaimKeyPackages(request) => {
                return self.claim_key_packages(asked, request);
            }
            Request::SubmitCommit(request) => self.submit_commit(from, &request),
            Request::SubmitProposal(request) => self.submit_proposal(from, &request),
            Request::ReportInvalid(request) => self.report_invalid(from, &request),
            Request::FetchGroupInfo(request) => self.fetch_group_info(from, &request),
            Request::FetchHandshakes(request) => self.fetch_handshakes(from, &request),
            Request::FetchWelcomes(request) => self.fetch_welcomes(from, &request),
            Request::LeaveRoom(request) => self.leave_room(from, &request),
            Request::PutBlob(request) => self.put_blob(from, &request),
            Request::GetBlob(request) => self.get_blob(&request),
            Request::AskToJoin(request) => self.ask_to_join(asked, &request),
            Request::Knock(request) => self.knock(asked, &request),
            Request::DenyKnock(request) => self.deny_knock(asked, &request),
            Request::IssueCredential(request) => return self.issue_credential(asked, request),
            Request::FetchRevocations => self.fetch_revocations(),
            Request::RevokeDevice(request) => self.revoke_device(from, &request),
            Request::RegisterSuccessor(request) => self.register_successor(from, &request),
            Request::RegisterBranch(request) => self.register_branch(from, &request),
            Request::FetchTreeHead(request) => self.fetch_tree_head(&request),
            Request::ProveCertificate(request) => self.prove_certificate(&request),
            Request::FetchLogLeaves(request) => self.fetch_log_leaves(&request),
            Request::FetchOwnEntries(request) => self.fetch_own_entries(from, &request),
        }
        .map(Some)
    }
}

fn is_request_id(id: &RequestId) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    (1..=ID_CHARS_MAX).contains(&id.len()) && id.bytes().all(allowed)
}
