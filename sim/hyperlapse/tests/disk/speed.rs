//! How fast it is: `cargo test --release -p hyperlapse --test disk speed -- --ignored --nocapture`.

use std::time::Instant;

use hyperlapse::disk::DiskOptions;

use crate::script::{DURABLE, Script, disk, open, play, transaction};

#[test]
#[ignore = "measures the host"]
fn operations_and_transactions_in_a_second() {
    let (disk, _mounted) = disk(0, DiskOptions::default());
    let file = disk.create("pages").unwrap();
    let page = vec![7; 4_096];
    let began = Instant::now();
    let rounds = 2_000;
    for _ in 0..rounds {
        (0..64).for_each(|n| file.write_at(n * 4_096, &page).unwrap());
        file.sync().unwrap();
        let mut into = vec![0; 4_096];
        (0..64).for_each(|n| assert_eq!(file.read_at(n * 4_096, &mut into).unwrap(), 4_096));
    }
    let each = began.elapsed() / (rounds * 129);
    println!("an operation on a page: {each:?}");

    let mut database = open(&disk, DURABLE).unwrap();
    let (before, began) = (disk.stats().operations(), Instant::now());
    let transactions = 5_000;
    (0..transactions).for_each(|n| transaction(&mut database, n).unwrap());
    let (took, operations) = (began.elapsed(), disk.stats().operations() - before);
    println!(
        "a transaction of three rows: {:?}, {} operations each; {} bytes",
        took / transactions,
        operations / u64::from(transactions),
        disk.used()
    );
    println!("the bytes of it: {:016x}", disk.fingerprint());

    let began = Instant::now();
    let runs = 500;
    for _ in 0..runs {
        disk.crash();
        for (name, _) in disk.files() {
            disk.delete(&name).unwrap();
        }
        play(&disk, Script { transactions: 10, ..DURABLE }, 0);
    }
    println!("a new database, ten transactions and its end: {:?}", began.elapsed() / runs);
}
