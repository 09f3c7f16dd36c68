//! Reports that others send: whatever the message, it is read or refused, in bounded memory, and nothing of it can move a terminal.
#![no_main]
use posthouse_protocols::received_reports;

posthouse_fuzz::target!(run, seeds: seeds());

fn run(data: &[u8]) {
    for report in received_reports::read(data).reports {
        let texts = report.rows.iter().flat_map(|row| [&row.domain, &row.source, &row.why]);
        for text in texts.chain([&report.reporter, &report.id]) {
            assert!(!text.contains(char::is_control), "{text:?}");
        }
        assert!(report.rows.iter().all(|row| row.passed <= row.count && row.rejected <= row.count));
    }
}

fn seeds() -> Vec<Vec<u8>> {
    let xml = "<feedback><report_metadata><org_name>O</org_name><report_id>1</report_id><date_range><begin>1</begin><end>2</end></date_range></report_metadata>\
               <policy_published><domain>a.test</domain><p>none</p></policy_published><record><row><source_ip>192.0.2.1</source_ip><count>2</count>\
               <policy_evaluated><disposition>none</disposition><dkim>pass</dkim><spf>fail</spf></policy_evaluated></row>\
               <identifiers><header_from>a.test</header_from></identifiers></record></feedback>";
    let json = "{\"organization-name\":\"O\",\"date-range\":{\"start-datetime\":\"2026-11-24T00:00:00Z\",\"end-datetime\":\"2026-11-24T23:59:59Z\"},\"report-id\":\"1\",\
                \"policies\":[{\"policy\":{\"policy-type\":\"sts\",\"policy-domain\":\"a.test\"},\"summary\":{\"total-successful-session-count\":5,\"total-failure-session-count\":4}}]}";
    // A deflate block that is stored, so that seeds need no compressor.
    let stored = |text: &str| {
        let len = text.len() as u16;
        [&[1][..], &len.to_le_bytes(), &(!len).to_le_bytes(), text.as_bytes()].concat()
    };
    let mail = |kind: &str, body: &[u8]| {
        [format!("Content-Type: application/{kind}\r\nContent-Transfer-Encoding: binary\r\n\r\n").as_bytes(), body]
            .concat()
    };
    let gzip = [b"\x1f\x8b\x08\0\0\0\0\0\0\x03", &*stored(xml)].concat();
    let zip = [b"PK\x03\x04\x14\0\x08\0\x08\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x01\0\0\0r", &*stored(json)].concat();
    vec![mail("xml", xml.as_bytes()), mail("tlsrpt+json", json.as_bytes()), mail("gzip", &gzip), mail("zip", &zip)]
}
