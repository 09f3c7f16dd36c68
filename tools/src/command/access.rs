//! member app-password, member login-rules, tenant login-rules, logins; and the keys that a new password gets. A password leaves this process as a hash
//! and as keys only.
use super::{Context, End, unexpected};
use crate::cli::{AppPasswordCommand, LoginRulesArgs, LoginsArgs};
use crate::ops::{Access, Change, Failure, Kind, LoginFilter, LoginRulesWords, Request, Response, write_keys};
use crate::password::Fresh;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use posthouse_engine::base::{Clock, SystemClock};
use posthouse_engine::directory::{LoginKeys, access};

pub(super) fn app_password(context: &mut Context<'_>, command: AppPasswordCommand) -> Result<End, Failure> {
    match command {
        AppPasswordCommand::Add { address, name, protocols, expires } => {
            let expires = expires.map(|age| SystemClock.now().saturating_add_unsigned(age.seconds));
            let password = access::new_app_password();
            let keys = keys(context, &address, &password)?;
            let keys = keys.ok_or_else(|| Failure::new(Kind::Failed, "keys could not be made"))?;
            let done = match context.show.json {
                true => password,
                false => format!("app password {name:?} of {address}: {password}\nIt is shown only now."),
            };
            context.change(
                Change::Access(Access::AppPasswordAdd { account: address, name, protocols, expires, keys }),
                &done,
            )
        }
        AppPasswordCommand::List { address } => context.list(Request::AppPasswords { account: address }),
        AppPasswordCommand::Remove { address, number } => {
            let done = format!("app password {number} of {address} removed");
            context.change(Change::Access(Access::AppPasswordRemove { account: address, number }), &done)
        }
    }
}

impl From<LoginRulesArgs> for LoginRulesWords {
    fn from(args: LoginRulesArgs) -> LoginRulesWords {
        LoginRulesWords { protocols: args.protocols, trusted: args.trusted, app_only: args.app_only }
    }
}

pub(super) fn account_login_rules(
    context: &mut Context<'_>,
    account: String,
    rules: LoginRulesArgs,
) -> Result<End, Failure> {
    let done = format!("login rules of {account} set");
    context.change(Change::Access(Access::AccountLoginRules { account, set: rules.into() }), &done)
}

pub(super) fn tenant_login_rules(
    context: &mut Context<'_>,
    tenant: String,
    rules: LoginRulesArgs,
) -> Result<End, Failure> {
    let done = format!("login rules of tenant {tenant} set");
    context.change(Change::Access(Access::TenantLoginRules { tenant, set: rules.into() }), &done)
}

pub(super) fn logins(context: &mut Context<'_>, args: LoginsArgs) -> Result<End, Failure> {
    let LoginsArgs { account, contains, last, protocol, from, failed, limit } = args;
    let since = last.map(|age| SystemClock.now().saturating_sub_unsigned(age.seconds));
    let filter = LoginFilter { account, contains, since, protocol, from, failed };
    let (mut before, mut left, mut list) = (None, limit, context.show.list());
    while left > 0 {
        let (rows, next) = match context.session.ask(&Request::Logins { before, filter: filter.clone() })? {
            Response::Listed { rows, next } => (rows, next),
            other => return Err(unexpected(&other)),
        };
        let shown = rows.len().min(left);
        list.rows(&rows[..shown]);
        left -= shown;
        before = next.and_then(|next| next.parse().ok());
        if before.is_none() {
            break;
        }
    }
    list.end();
    Ok(End::Done)
}

/// The keys of an account's password, as they travel; `None` when it can be used with PLAIN only.
fn keys(context: &mut Context<'_>, account: &str, password: &str) -> Result<Option<String>, Failure> {
    let salt = match context.session.ask(&Request::Salt { account: account.to_owned() })? {
        Response::Salt { salt } => STANDARD.decode(salt).ok().and_then(|salt| salt.try_into().ok()),
        other => return Err(unexpected(&other)),
    };
    let salt = salt.ok_or_else(|| Failure::new(Kind::Failed, "a salt of 16 bytes was expected"))?;
    Ok(LoginKeys::make(password, salt).as_ref().map(write_keys))
}

/// The change that gives an account the keys of its new password, to be made after the one that gives it the password; nothing where SCRAM
/// is switched off or only a hash is known.
pub(super) fn keys_of(
    context: &mut Context<'_>,
    account: &str,
    fresh: Option<&Fresh>,
) -> Result<Option<Change>, Failure> {
    let Some(Fresh { hash, plain: Some(plain) }) = fresh else { return Ok(None) };
    if !context.session.config().login.scram {
        return Ok(None);
    }
    let (of_hash, account) = (hash.clone(), account.to_owned());
    let keys = keys(context, &account, plain)?;
    Ok(keys.map(|keys| Change::Access(Access::KeysMake { account, of_hash, keys })))
}
