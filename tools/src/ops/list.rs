//! Pages of lists, and single things by name. Holds the directory for one page only, so that a long list stops nobody.
use super::view::{self, AliasView};
use super::{Failure, Response, View, What, flow};
use crate::limits::PAGE_ROWS_MAX;
use posthouse_engine::Engine;
use posthouse_engine::base::{AccountId, TenantId};
use posthouse_engine::directory::{self, AccountKind, Address, Directory, Filter, normalise_domain};

/// What a page is asked with.
pub(super) struct Page<'a> {
    pub(super) what: What,
    pub(super) tenant: Option<&'a str>,
    pub(super) contains: &'a str,
    pub(super) after: Option<&'a str>,
}

/// One page.
pub(super) fn list(engine: &Engine, page: &Page<'_>) -> Result<Response, Failure> {
    let tenant = page.tenant.map(|name| tenant_id(engine, name)).transpose()?;
    match page.what {
        What::Tenant => Ok(tenants(engine, page)),
        What::Domain => Ok(domains(engine, page, tenant)),
        What::Key => Ok(flow::keys(engine, page, tenant)),
        What::Rule => Ok(flow::rules(engine, page, tenant)),
        _ => by_address(engine, page, tenant),
    }
}

/// The tenant of that name.
pub(super) fn tenant_id(engine: &Engine, name: &str) -> Result<TenantId, Failure> {
    let id = engine.directory(|directory| directory.tenant_named(name).map(|tenant| tenant.id));
    id.ok_or_else(|| Failure::not_found(format_args!("tenant {name}")))
}

fn contains(text: &str, part: &str) -> bool {
    part.is_empty() || text.to_lowercase().contains(&part.to_lowercase())
}

/// The page from one row more than it may have; `key` of its last row is where the next one begins.
fn paged(mut rows: Vec<(String, View)>) -> Response {
    let more = rows.len() > PAGE_ROWS_MAX;
    rows.truncate(PAGE_ROWS_MAX);
    let next = rows.last().filter(|_| more).map(|(key, _)| key.clone());
    Response::Listed { rows: rows.into_iter().map(|(_, view)| view).collect(), next }
}

fn tenants(engine: &Engine, page: &Page<'_>) -> Response {
    paged(engine.directory(|directory| {
        directory
            .tenants()
            .filter(|tenant| page.after.is_none_or(|after| &*tenant.name > after))
            .filter(|tenant| contains(&tenant.name, page.contains) || contains(&tenant.title, page.contains))
            .take(PAGE_ROWS_MAX + 1)
            .map(|tenant| (tenant.name.to_string(), View::Tenant(view::tenant(tenant))))
            .collect()
    }))
}

fn domains(engine: &Engine, page: &Page<'_>, tenant: Option<TenantId>) -> Response {
    paged(engine.directory(|directory| {
        directory
            .domains(tenant)
            .filter(|domain| page.after.is_none_or(|after| &*domain.name > after))
            .filter(|domain| contains(&domain.name, page.contains))
            .take(PAGE_ROWS_MAX + 1)
            .map(|domain| (domain.name.to_string(), View::Domain(view::domain(directory, domain))))
            .collect()
    }))
}

fn by_address(engine: &Engine, page: &Page<'_>, tenant: Option<TenantId>) -> Result<Response, Failure> {
    let after = page.after.map(Address::parse).transpose()?;
    let filter = Filter { tenant, contains: page.contains, after: after.as_ref() };
    if page.what == What::Group {
        return Ok(paged(engine.directory(|directory| {
            let all = directory.groups(filter).take(PAGE_ROWS_MAX + 1);
            all.map(|group| (group.address.to_string(), View::Group(view::group(directory, group, false)))).collect()
        })));
    }
    match page.what {
        What::MemberAlias | What::BusinessAlias => {
            // A name that only an alias has must be found, so the text is looked for in the aliases, not by the filter.
            let filter = Filter { contains: "", ..filter };
            Ok(aliases(engine, page, filter))
        }
        what => Ok(accounts(engine, what, filter)),
    }
}

fn of_kind<'a>(
    directory: &'a Directory,
    business: bool,
    filter: Filter<'a>,
) -> Box<dyn Iterator<Item = &'a directory::Account> + 'a> {
    if business { Box::new(directory.business(filter)) } else { Box::new(directory.members(filter)) }
}

fn accounts(engine: &Engine, what: What, filter: Filter<'_>) -> Response {
    let business = what == What::Business;
    let found: Vec<(AccountId, _)> = engine.directory(|directory| {
        let page = of_kind(directory, business, filter).take(PAGE_ROWS_MAX + 1);
        page.map(|account| (account.id, view::account(directory, account))).collect()
    });
    paged(
        found
            .into_iter()
            .map(|(id, mut shown)| {
                view::add_usage(engine, id, &mut shown);
                let key = shown.address.clone();
                (key, if business { View::Business(shown) } else { View::Member(shown) })
            })
            .collect(),
    )
}

/// The aliases of one page of accounts; a page may be short or empty and still have a next one.
fn aliases(engine: &Engine, page: &Page<'_>, filter: Filter<'_>) -> Response {
    engine.directory(|directory| {
        let mut rows = Vec::new();
        let mut last = None;
        let mut seen = 0;
        for account in of_kind(directory, page.what == What::BusinessAlias, filter).take(PAGE_ROWS_MAX) {
            seen += 1;
            last = Some(account.address.to_string());
            let wanted = |alias: &&Address| {
                contains(alias.as_str(), page.contains) || contains(account.address.as_str(), page.contains)
            };
            rows.extend(account.aliases.iter().filter(wanted).map(|alias| {
                View::Alias(AliasView { alias: alias.to_string(), account: account.address.to_string() })
            }));
        }
        Response::Listed { rows, next: last.filter(|_| seen == PAGE_ROWS_MAX) }
    })
}

/// Everything about one thing.
pub(super) fn show(engine: &Engine, what: What, name: &str) -> Result<Response, Failure> {
    let view = match what {
        What::Tenant => {
            engine.directory(|directory| directory.tenant_named(name).map(|it| View::Tenant(view::tenant(it))))
        }
        What::Domain => {
            let name = normalise_domain(name)?;
            engine.directory(|directory| directory.domain(&name).map(|it| View::Domain(view::domain(directory, it))))
        }
        What::Group => {
            let address = Address::parse(name)?;
            engine.directory(|directory| {
                directory.group(&address).map(|it| View::Group(view::group(directory, it, true)))
            })
        }
        What::Member | What::Business => show_account(engine, what, &Address::parse(name)?),
        What::MemberAlias | What::BusinessAlias => show_alias(engine, &Address::parse(name)?),
        // These are only listed.
        What::Key | What::Rule => None,
    };
    let view = view.ok_or_else(|| Failure::not_found(format_args!("{} {name}", word(what))))?;
    Ok(Response::Shown { view })
}

fn word(what: What) -> &'static str {
    match what {
        What::Tenant => "tenant",
        What::Domain => "domain",
        What::Member => "member",
        What::Business => "business mailbox",
        What::MemberAlias | What::BusinessAlias => "alias",
        What::Group => "group",
        What::Key => "signing key",
        What::Rule => "rule",
    }
}

fn show_account(engine: &Engine, what: What, address: &Address) -> Option<View> {
    let kind = if what == What::Business { AccountKind::Business } else { AccountKind::Member };
    let (id, mut shown) = engine.directory(|directory| {
        let account = directory.account_at(address).filter(|account| account.kind == kind)?;
        Some((account.id, view::account(directory, account)))
    })?;
    view::add_usage(engine, id, &mut shown);
    Some(if kind == AccountKind::Business { View::Business(shown) } else { View::Member(shown) })
}

fn show_alias(engine: &Engine, alias: &Address) -> Option<View> {
    engine.directory(|directory| {
        let account = directory.account_at(alias).filter(|account| account.address != *alias)?;
        Some(View::Alias(AliasView { alias: alias.to_string(), account: account.address.to_string() }))
    })
}
