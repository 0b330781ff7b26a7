//! Who is written to by mail.

use std::path::Path;

use lettre::message::Mailbox;

use super::places::{bytes, login};
use super::section::{Faults, Section};
use crate::domain::Invalid;
use crate::gateway::State;
use crate::gateway::mail::{Mail, MailServer, MailTls};

/// States of which somebody is written where nothing is said.
const STATES: [State; 4] = [State::Held, State::Sent, State::Verified, State::Aside];

/// The table `[mail]`; none where it is not there.
pub(super) fn mail(section: Option<Section<'_, '_>>, base: &Path, faults: &mut Faults<'_>) -> Option<Mail> {
    let mut section = section?;
    let server = section.needed("server", faults);
    let server = server.and_then(|text| {
        MailServer::parse(&text).map_err(|Invalid(reason)| section.fault("server", &reason, faults)).ok()
    });
    let ways = [("starttls", MailTls::StartTls), ("implicit", MailTls::Implicit), ("none", MailTls::None)];
    let tls = section.one_of("tls", &ways, faults);
    let authorities = section.text("ca", faults);
    if tls == MailTls::None && authorities.is_some() {
        section.fault("ca", "has no effect with tls = \"none\"", faults);
    }
    let authorities =
        authorities.map(|path| bytes(&base.join(path)).map_err(|Invalid(reason)| section.fault("ca", &reason, faults)));
    let login = login(&mut section, base, faults);
    if tls == MailTls::None && login.is_some() && server.as_ref().is_some_and(|server| !server.is_here()) {
        section.fault("tls", "is \"none\": the password would go over the network in the clear", faults);
    }
    let from = section.needed("from", faults).and_then(|text| mailbox(&section, "from", &text, faults));
    let to = section.texts("to", faults);
    if to.is_empty() {
        section.fault("to", "is needed: who is written to", faults);
    }
    let to: Vec<Mailbox> = to.iter().filter_map(|text| mailbox(&section, "to", text, faults)).collect();
    let states = states(&mut section, faults);
    let transport = server.zip(authorities.transpose().ok()).and_then(|(server, authorities)| {
        let transport = server.transport(tls, authorities.as_deref(), login);
        transport.map_err(|Invalid(reason)| section.fault("ca", &reason, faults)).ok()
    });
    section.finish(faults);
    Some(Mail::new(transport?, from?, to, states))
}

/// An address, with a name or without.
fn mailbox(section: &Section<'_, '_>, key: &str, text: &str, faults: &mut Faults<'_>) -> Option<Mailbox> {
    let mailbox = text.parse::<Mailbox>().ok();
    if mailbox.is_none() {
        section.fault(key, &format!("is an address such as dose@hospital.example; got `{text}`"), faults);
    }
    mailbox
}

/// States of which somebody is written.
fn states(section: &mut Section<'_, '_>, faults: &mut Faults<'_>) -> Vec<State> {
    let names = section.texts("states", faults);
    if names.is_empty() {
        return STATES.to_vec();
    }
    let told = || State::ALL.into_iter().filter(|state| state.is_told());
    let mut found = Vec::new();
    for name in names {
        match told().find(|state| state.name() == name) {
            Some(state) => found.push(state),
            None => {
                let known: Vec<&str> = told().map(State::name).collect();
                section.fault("states", &format!("is of {}; got `{name}`", known.join(", ")), faults);
            }
        }
    }
    found
}
