use std::sync::Arc;

use wallet::Wallet;

#[tokio::test]
async fn nobody_overdraws() {
    let wallet = Arc::new(Wallet::with(100));
    let customers: Vec<_> = (0..3)
        .map(|_| {
            let wallet = Arc::clone(&wallet);
            tokio::spawn(async move { wallet.pay(60).await })
        })
        .collect();
    for customer in customers {
        customer.await.unwrap();
    }
    assert!(wallet.cents() >= 0, "{} cents are left", wallet.cents());
}
