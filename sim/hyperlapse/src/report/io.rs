//! What one run moved, as tables: its disks by file, its network by link.

use super::profile::row;
use crate::io::{DiskIo, FileIo, IoRecord};
use crate::units::{bytes, count, milli, seconds};

/// Both tables, each where there is something to tell.
pub(super) fn tables(text: &mut String, io: &IoRecord, load_ns: u64) {
    disks(text, io, load_ns);
    links(text, io);
}

fn many(n: u64) -> String {
    bytes(i64::try_from(n).unwrap_or(i64::MAX))
}

fn disks(text: &mut String, io: &IoRecord, load_ns: u64) {
    if io.disks.is_empty() {
        return;
    }
    const WIDTHS: [usize; 6] = [9, 9, 9, 9, 8, 12];
    let headings = ["reads", "read", "writes", "written", "syncs", "time"];
    text.push('\n');
    row(text, "disks, by file", &WIDTHS, &headings.map(str::to_owned));
    for (host, disk) in &io.disks {
        let DiskIo { calls, all, files } = disk;
        let files = files.iter().map(|(name, of)| (format!("  {name}"), of));
        for (name, of) in std::iter::once((host.clone(), all)).chain(files) {
            let FileIo { reads, bytes_read, writes, bytes_written, syncs, busy_ns, .. } = *of;
            let (read, written) = (many(bytes_read), many(bytes_written));
            let cells =
                [count(reads), read, count(writes), written, count(syncs), seconds(busy_ns)];
            row(text, &name, &WIDTHS, &cells);
        }
        if *calls > 0 {
            let in_a_second = each(u128::from(*calls) * 1_000_000_000, load_ns);
            let syncs = each(all.syncs.into(), *calls);
            text.push_str(&format!(
                "  {host}: {} calls, {in_a_second} in a second, of {} and {syncs} syncs each\n",
                count(*calls),
                many(all.bytes_written / calls),
            ));
        }
    }
}

/// To a tenth; nothing is known of nothing.
fn each(n: u128, of: u64) -> String {
    match (n * 1_000).checked_div(of.into()) {
        Some(thousandths) => milli(u64::try_from(thousandths).unwrap_or(u64::MAX)),
        None => "-".to_owned(),
    }
}

fn links(text: &mut String, io: &IoRecord) {
    if io.links.is_empty() {
        return;
    }
    const WIDTHS: [usize; 4] = [12, 12, 12, 23];
    let headings = ["packets", "bytes", "lost", "under way, on average"];
    text.push('\n');
    row(text, "network, by link", &WIDTHS, &headings.map(str::to_owned));
    for (link, of) in &io.links {
        let mean = of.delayed_ns.checked_div(of.packets);
        let mean = mean.map_or_else(|| "-".to_owned(), seconds);
        row(text, link, &WIDTHS, &[count(of.packets), many(of.bytes), count(of.lost), mean]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::io::LinkIo;

    #[test]
    fn disks_and_links_have_a_row_for_each_file_and_each_direction() {
        let file = |scale: u64| FileIo {
            reads: 3 * scale,
            bytes_read: 4_096 * scale,
            writes: 7 * scale,
            bytes_written: 1_234_567 * scale,
            syncs: scale,
            bytes_synced: 1_234_000 * scale,
            others: 2,
            busy_ns: 2_500_000 * scale,
        };
        let files = [
            ("conversations.db".to_owned(), file(1)),
            ("conversations.db-wal".to_owned(), file(1_000)),
            ("a-name-that-is-longer-than-its-column-is-wide".to_owned(), FileIo::default()),
        ];
        let server = DiskIo { calls: 2_000, all: file(1_001), files: files.into() };
        let idle = DiskIo::default();
        let link = |packets| LinkIo {
            packets,
            bytes: packets * 321,
            lost: packets / 100,
            delayed_ns: packets * 1_500_000,
        };
        let io = IoRecord {
            disks: [("server".to_owned(), server), ("spare".to_owned(), idle)].into(),
            links: [
                ("server->users".to_owned(), link(123_456)),
                ("users->server".to_owned(), link(0)),
            ]
            .into(),
        };
        let mut text = String::new();
        tables(&mut text, &io, 10_000_000_000);
        tables(&mut text, &IoRecord::default(), 10_000_000_000);
        insta::assert_snapshot!(text);
        assert!(text.lines().all(|line| line.chars().count() <= 80), "it fits a terminal");
    }
}
