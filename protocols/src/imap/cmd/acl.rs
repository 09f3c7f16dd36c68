//! SETACL, DELETEACL, GETACL, LISTRIGHTS and MYRIGHTS (RFC 4314 section 3): who may do what in a mailbox. Names of other tenants' members are
//! answered like names that nobody has.
use crate::imap::answer::{Answer, Fail};
use crate::imap::args::Args;
use crate::imap::place::{Place, nonexistent};
use crate::imap::state::{Running, Session};
use crate::imap::table::Request;
use crate::imap::{name, out};
use posthouse_engine::base::Error;
use posthouse_engine::directory::{AclChange, AclMode, Change, Directory, Grantee, Rights};

pub(in crate::imap) fn set(session: &mut Session, request: Request) -> Running<'_> {
    Box::pin(async move {
        let mut args = request.args();
        let (name, who) = named(&mut args)?;
        args.space()?;
        let (mode, rights) = changed(&mut args)?;
        args.end()?;
        session.change_list(&name, &who, mode, rights).await?;
        Ok(Answer::ok("SETACL completed"))
    })
}

pub(in crate::imap) fn delete(session: &mut Session, request: Request) -> Running<'_> {
    Box::pin(async move {
        let mut args = request.args();
        let (name, who) = named(&mut args)?;
        args.end()?;
        session.change_list(&name, &who, AclMode::Replace, Rights::NONE).await?;
        Ok(Answer::ok("DELETEACL completed"))
    })
}

pub(in crate::imap) fn get(session: &mut Session, request: Request) -> Running<'_> {
    Box::pin(async move {
        let mut args = request.args();
        args.space()?;
        let name = args.astring()?.into_owned();
        args.end()?;
        let place = session.place_for(&session.name(&name)?, Rights::ADMINISTER)?;
        let list = session.shared.engine.directory(|directory| list_of(directory, &place));
        let utf8 = session.names_utf8();
        let out = session.stream.output();
        out.extend_from_slice(b"* ACL ");
        name::write(out, &place.name(), utf8);
        for (who, rights) in list {
            out.push(b' ');
            identifier(out, &who, utf8);
            out.push(b' ');
            out.extend_from_slice(rights.on_the_wire().as_bytes());
        }
        out.extend_from_slice(b"\r\n");
        Ok(Answer::ok("GETACL completed"))
    })
}

pub(in crate::imap) fn list_rights(session: &mut Session, request: Request) -> Running<'_> {
    Box::pin(async move {
        let mut args = request.args();
        let (name, who) = named(&mut args)?;
        args.end()?;
        let place = session.place_for(&session.name(&name)?, Rights::ADMINISTER)?;
        let (grantee, negative) = session.grantee(&place, &who)?;
        // What nobody can take away: all from the owner, and from a user of a business mailbox what that brings.
        let always = session.shared.engine.directory(|directory| match grantee {
            Grantee::Account(id) if !negative => always(directory, &place, id),
            _ => Rights::NONE,
        });
        let utf8 = session.names_utf8();
        let out = session.stream.output();
        out.extend_from_slice(b"* LISTRIGHTS ");
        name::write(out, &place.name(), utf8);
        out.push(b' ');
        identifier(out, &who, utf8);
        out.push(b' ');
        out::astring(out, always.on_the_wire().as_bytes());
        let others = Rights::LETTERS.iter().filter(|(right, _)| !always.contains(*right));
        let virtual_ = Rights::VIRTUAL.iter().filter(|(rights, _)| !always.has_any(*rights));
        for (_, letter) in others.chain(virtual_) {
            out.extend_from_slice(&[b' ', *letter as u8]);
        }
        out.extend_from_slice(b"\r\n");
        Ok(Answer::ok("LISTRIGHTS completed"))
    })
}

pub(in crate::imap) fn my_rights(session: &mut Session, request: Request) -> Running<'_> {
    Box::pin(async move {
        let mut args = request.args();
        args.space()?;
        let name = args.astring()?.into_owned();
        args.end()?;
        let place = session.place_named(&session.name(&name)?)?;
        if !place.rights.has_any("lrikxa".parse().unwrap_or(Rights::ALL)) {
            return Ok(nonexistent());
        }
        session.write_my_rights(&place.name(), place.rights);
        Ok(Answer::ok("MYRIGHTS completed"))
    })
}

/// ` mailbox identifier`
fn named(args: &mut Args<'_>) -> Result<(Vec<u8>, String), Answer> {
    args.space()?;
    let name = args.astring()?.into_owned();
    args.space()?;
    let start = args.clone();
    match String::from_utf8(args.astring()?.into_owned()) {
        Ok(who) => Ok((name, who)),
        Err(_) => Ok(start.wrong("an identifier in UTF-8")?),
    }
}

/// `lrs`, `+lrs` or `-lrs`. Rights that are not known are an error (RFC 4314 section 3.1).
fn changed(args: &mut Args<'_>) -> Result<(AclMode, Rights), Answer> {
    let start = args.clone();
    let text = args.astring()?;
    let (mode, letters) = match text.split_first() {
        Some((b'+', letters)) => (AclMode::Add, letters),
        Some((b'-', letters)) => (AclMode::Remove, letters),
        _ => (AclMode::Replace, &*text),
    };
    match std::str::from_utf8(letters).map(str::parse::<Rights>) {
        Ok(Ok(rights)) => Ok((mode, rights)),
        _ => Ok(start.wrong("rights (letters of lrswipkxtea, c or d)")?),
    }
}

/// An identifier as an astring; as it is in UTF-8 where the client understands that, else its bytes.
fn identifier(out: &mut Vec<u8>, who: &str, utf8: bool) {
    if who.is_ascii() {
        out::astring(out, who.as_bytes())
    } else if utf8 {
        out::quoted(out, who.as_bytes())
    } else {
        out::string(out, who.as_bytes())
    }
}

/// What an account has whatever the list says.
fn always(directory: &Directory, place: &Place, id: posthouse_engine::base::AccountId) -> Rights {
    if id == place.account {
        return Rights::ALL;
    }
    let opens = directory.account(place.account).is_some_and(|owner| owner.users.binary_search(&id).is_ok());
    if opens { Rights::BUSINESS } else { Rights::NONE }
}

/// The owner, users of a business mailbox, and who has been given rights; then from whom some are taken.
fn list_of(directory: &Directory, place: &Place) -> Vec<(String, Rights)> {
    let mut list: Vec<(Grantee, bool, Rights)> = vec![(Grantee::Account(place.account), false, Rights::ALL)];
    let users = directory.account(place.account).map(|owner| owner.users.clone()).unwrap_or_default();
    list.extend(users.iter().map(|user| (Grantee::Account(*user), false, Rights::BUSINESS)));
    for grant in directory.grants(place.account, place.mailbox.id) {
        let known = list.iter_mut().find(|(who, negative, _)| *who == grant.who && *negative == grant.negative);
        match known {
            Some((_, _, rights)) => *rights = rights.union(grant.rights),
            None => list.push((grant.who.clone(), grant.negative, grant.rights)),
        }
    }
    let name = |(who, negative, rights): (Grantee, bool, Rights)| {
        let sign = if negative { "-" } else { "" };
        (format!("{sign}{}", directory.grantee_name(&who)), rights)
    };
    list.into_iter().map(name).collect()
}

impl Session {
    /// Whom an identifier means, and whether it stands for what is taken away (RFC 4314 section 2).
    fn grantee(&self, place: &Place, who: &str) -> Result<(Grantee, bool), Answer> {
        let (negative, bare) = who.strip_prefix('-').map_or((false, who), |bare| (true, bare));
        let found = self.shared.engine.directory(|directory| directory.grantee(place.account, bare));
        let found = found.ok_or_else(|| Answer::no("[CANNOT] There is no member and no group of that name here"))?;
        Ok((found, negative))
    }

    async fn change_list(&self, wire: &[u8], who: &str, mode: AclMode, rights: Rights) -> Result<(), Fail> {
        let place = self.place_for(&self.name(wire)?, Rights::ADMINISTER)?;
        let (who, negative) = self.grantee(&place, who)?;
        let (owner, mailbox) = (place.account, place.mailbox.id);
        let change = Change::Acl(AclChange::Set { owner, mailbox, who, negative, mode, rights });
        let mut answers = self.shared.engine.change_directory(vec![change]).await;
        Ok(answers.pop().unwrap_or(Err(Error::Closed))?)
    }

    /// The MYRIGHTS response.
    pub(super) fn write_my_rights(&mut self, name: &str, rights: Rights) {
        let utf8 = self.names_utf8();
        let out = self.stream.output();
        out.extend_from_slice(b"* MYRIGHTS ");
        name::write(out, name, utf8);
        out.push(b' ');
        out.extend_from_slice(rights.on_the_wire().as_bytes());
        out.extend_from_slice(b"\r\n");
    }
}
