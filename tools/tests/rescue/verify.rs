//! verify: clean stores, damaged ones, none at all, and beside a server that takes mail meanwhile.
use crate::support::House;
use crate::{damage, files, filled, json_lines, message_body, segment};

#[test]
fn a_whole_store_is_clean_and_nothing_changes() {
    let house = filled();
    let before = files(&house.data());
    let said = house.run(&["verify"]).ok();
    assert!(said.ends_with("clean\n") && said.contains(" MB/s") && said.contains("3 accounts"), "{said}");
    let lines = json_lines(&house.run(&["verify", "--json"]).ok());
    let report = &lines[0]["report"];
    assert_eq!((lines.len(), &report["clean"], &report["damages"]), (1, &true.into(), &0.into()), "{report}");
    assert_eq!((&report["accounts"], &report["messages"]), (&3.into(), &72.into()), "{report}");
    assert_eq!(files(&house.data()), before);
}

#[test]
fn damage_is_named_with_file_place_and_owner() {
    let house = filled();
    let file = segment(&house, "00000", 1);
    let at = message_body(&file, 0);
    damage(&file, at, 30);
    let said = house.run(&["verify"]);
    assert_eq!(said.code, 1, "{}{}", said.out, said.err);
    let name = file.display().to_string();
    assert!(said.out.contains(&format!("damage: {name} at byte ")), "{}", said.out);
    assert!(said.out.contains("bob@acme.test \"") && said.out.contains("@else.test> \"mail "), "{}", said.out);
    let lines = json_lines(&house.run(&["verify", "--json"]).out);
    let (report, findings) = lines.split_last().expect("a report");
    assert_eq!(report["report"]["clean"], false);
    let frame = findings.iter().find(|line| line["finding"]["kind"] == "frame").expect("the frame");
    let (offset, bytes) = (frame["finding"]["offset"].as_u64(), frame["finding"]["bytes"].as_u64());
    let range = offset.expect("a place")..offset.expect("a place") + bytes.expect("a length");
    assert!(range.contains(&(at as u64)), "{frame}");
    let lost = findings.iter().find(|line| line["finding"]["kind"] == "reference").expect("an entry");
    assert!(lost["finding"]["who"]["address"].is_string() && lost["finding"]["who"]["uid"].is_u64(), "{lost}");
}

#[test]
fn what_is_no_store_ends_with_2() {
    let house = House::new();
    house.run(&["verify"]).refused(2, "a store in");
    std::fs::create_dir(house.data()).expect("made");
    house.run(&["verify"]).refused(2, "a store in");
    assert_eq!(std::fs::read_dir(house.data()).expect("there").count(), 0, "looking made something");
}

#[test]
fn beside_a_server_that_takes_mail() {
    let house = filled();
    let serving = house.serve(&[]);
    let mails = house.path().join("mails");
    std::fs::create_dir(&mails).expect("made");
    for number in 0..400 {
        std::fs::write(mails.join(format!("{number}.eml")), crate::message(number + 1000)).expect("written");
    }
    let path = mails.display().to_string();
    std::thread::scope(|threads| {
        let import = threads.spawn(|| {
            for box_name in ["a", "b", "c"] {
                let arguments =
                    ["import", "--account", "ann@acme.test", "--format", "eml", "--mailbox", box_name, &path];
                house.run(&arguments).ok();
            }
        });
        let mut rounds = 0;
        while !import.is_finished() || rounds == 0 {
            let said = house.run(&["verify"]);
            assert_eq!(said.code, 0, "{}{}", said.out, said.err);
            assert!(said.out.contains("A server is running"), "{}", said.out);
            rounds += 1;
        }
        import.join().expect("imported");
    });
    assert_eq!(serving.stop(), Some(0));
    let report = &json_lines(&house.run(&["verify", "--json"]).ok())[0]["report"];
    assert!(report["entries"].as_u64() > Some(1200), "{report}");
}
