//! What a frame costs in memory: its header and crc written, a buffer of frames read back, a footer made and read. Touches no disk.
use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use posthouse_engine::base::Lsn;
use posthouse_engine::format::frame::{FRAME_HEADER_BYTES, frame_bytes};
use posthouse_engine::format::{Footer, FrameHeader, FrameKind, FrameRef, TableBuilder};
use std::hint::black_box;

const SALT: u32 = 0x0102_0304;
const FRAMES: usize = 256;
/// A payload of a usual mail, as stored.
const PAYLOAD_BYTES: usize = 4096;

fn payload(seed: u8) -> Vec<u8> {
    (0..PAYLOAD_BYTES).map(|at| (at as u8).wrapping_mul(31) ^ seed).collect()
}

fn header(payload: &[u8], at: usize) -> FrameHeader {
    FrameHeader {
        kind: FrameKind::Message,
        flags: 0,
        dictionary: 0,
        payload_len: payload.len() as u32,
        payload_crc: crc32fast::hash(payload),
        lsn: Lsn(at as u64),
        group_back: at as u32,
    }
}

fn append(into: &mut Vec<u8>, payload: &[u8]) {
    let start = into.len();
    into.extend_from_slice(&header(payload, start).encode(SALT));
    into.extend_from_slice(payload);
    into.resize(start + frame_bytes(payload.len()), 0);
}

fn group() -> Vec<u8> {
    let mut bytes = Vec::new();
    (0..FRAMES).for_each(|number| append(&mut bytes, &payload(number as u8)));
    bytes
}

/// Frames whose header and payload are believed.
fn read(bytes: &[u8]) -> usize {
    let (mut at, mut whole) = (0, 0);
    while let Ok(header) = FrameHeader::decode(&bytes[at..], SALT) {
        let from = at + FRAME_HEADER_BYTES;
        let payload = &bytes[from..from + header.payload_len as usize];
        whole += usize::from(FrameRef { header, payload }.payload_is_whole());
        at += header.frame_bytes();
        if at == bytes.len() {
            break;
        }
    }
    whole
}

fn frames(c: &mut Criterion) {
    let payloads: Vec<Vec<u8>> = (0..FRAMES).map(|number| payload(number as u8)).collect();
    let bytes = group();
    assert_eq!(read(&bytes), FRAMES);
    let mut all = c.benchmark_group("frame");
    all.throughput(Throughput::Bytes(bytes.len() as u64));
    all.bench_function("encode", |bench| {
        bench.iter_batched(
            || Vec::with_capacity(bytes.len()),
            |mut into| {
                payloads.iter().for_each(|payload| append(&mut into, payload));
                into
            },
            BatchSize::LargeInput,
        );
    });
    all.bench_function("decode", |bench| bench.iter(|| read(black_box(&bytes))));
    all.finish();
}

fn footers(c: &mut Criterion) {
    let payload = payload(0);
    let table = || {
        let (mut table, mut at) = (TableBuilder::default(), 64);
        for _ in 0..10_000 {
            let header = header(&payload[..16], at);
            table.add(at as u32, &header, at as u32);
            at += header.frame_bytes();
        }
        table.footer().encode()
    };
    let bytes = table();
    let mut all = c.benchmark_group("footer");
    all.bench_function("encode", |bench| bench.iter(table));
    all.bench_function("decode", |bench| {
        bench.iter(|| Footer::decode(black_box(&bytes)).map(|footer| footer.table.iter().count()));
    });
    all.finish();
}

criterion_group!(benches, frames, footers);
criterion_main!(benches);
