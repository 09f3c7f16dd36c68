//! Lists, pages and large batches.
use super::super::{Address, Change, Directory, Filter};
use super::{alias, at, domain, id_of, make, member, tenant, town};

fn names<'a>(accounts: impl Iterator<Item = &'a super::super::Account>) -> Vec<String> {
    accounts.map(|account| account.address.to_string()).collect()
}

#[test]
fn lists_are_sorted_filtered_and_paged() {
    let mut town = town();
    for change in [domain("acme", "a.example"), member("zoe@a.example"), member("cay@acme.example")] {
        make(&mut town, change).expect("allowed");
    }
    let acme = town.tenant_named("acme").map(|tenant| tenant.id);
    let mine = Filter { tenant: acme, ..Filter::default() };
    let all = ["zoe@a.example", "ann@acme.example", "bob@acme.example", "cay@acme.example"];
    assert_eq!(names(town.members(mine)), all);
    assert_eq!(names(town.members(Filter::default())), [&all[..], &["eve@other.example"]].concat());
    assert_eq!(names(town.members(Filter { contains: "B@A", ..mine })), ["bob@acme.example"]);
    for page in 1..4 {
        let (mut seen, mut after) = (Vec::new(), None);
        for _ in 0..=all.len() {
            let filter = Filter { after: after.as_ref(), ..mine };
            let next: Vec<String> = names(town.members(filter).take(page));
            let Some(last) = next.last() else { break };
            after = Some(at(last));
            seen.extend(next);
        }
        assert_eq!(seen, all, "in pages of {page}");
    }
    assert_eq!(names(town.business(mine)), ["sales@acme.example"]);
    assert_eq!(town.groups(mine).count(), 1);
    assert_eq!(town.tenants().map(|tenant| &*tenant.name).collect::<Vec<_>>(), ["acme", "other"]);
    let domains = |tenant| town.domains(tenant).map(|domain| domain.name.to_string()).collect::<Vec<_>>();
    assert_eq!(domains(acme), ["a.example", "acme.example"]);
    assert_eq!(domains(None).len(), 3);
    let gone = Filter { tenant: Some(crate::base::TenantId(99)), ..Filter::default() };
    assert_eq!(town.members(gone).count() + town.groups(gone).count(), 0);
}

/// A row that is wrong says so and disturbs no other; the transaction's cost grows with its rows alone.
#[test]
fn many_changes_are_one_transaction() {
    let mut directory = Directory::default();
    make(&mut directory, tenant("big")).expect("allowed");
    let mut changes = vec![domain("big", "big.example")];
    changes.extend((0..20_000).map(|n| member(&format!("m{n}@big.example"))));
    changes[500] = member("m1@big.example");
    changes.push(Change::GroupAdd {
        address: at("all@big.example"),
        name: "all".into(),
        members: (0..20_000).filter(|n| *n != 499).map(|n| at(&format!("m{n}@big.example"))).collect(),
    });
    changes.extend((0..2_000).map(|n| Change::AccountRemove { address: at(&format!("m{}@big.example", n * 7)) }));
    let results = directory.plan_all(&changes, 0);
    let refused: Vec<usize> = (0..results.len()).filter(|n| results[*n].is_err()).collect();
    assert_eq!(refused, [500], "the doubled row alone");
    for event in results.into_iter().flatten().flatten() {
        directory.apply(&event).expect("planned events fold");
    }
    directory.check().expect("all tables agree");
    assert_eq!(directory.account_count(), 17_999);
    assert_eq!(directory.group(&at("all@big.example")).map(|group| group.members.len()), Some(17_999));
    assert_eq!(id_of(&directory, "m19999@big.example").0, 19_999);
}

#[test]
fn the_first_postmaster_who_receives_is_known_after_each_change() {
    let mut town = town();
    assert_eq!(town.postmaster(), None);
    let steps = [
        (member("postmaster@other.example"), Some("postmaster@other.example")),
        (alias("ann@acme.example", "postmaster@acme.example"), Some("postmaster@acme.example")),
        (Change::AliasRemove { alias: at("postmaster@acme.example") }, Some("postmaster@other.example")),
    ];
    for (change, found) in steps {
        make(&mut town, change).expect("allowed");
        assert_eq!(town.postmaster().map(Address::as_str), found);
        assert_eq!(town.postmaster().map(Address::as_str), found, "once more");
    }
}
