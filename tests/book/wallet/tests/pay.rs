use std::sync::Arc;

use hyperlapse::{AllAtOnce, Sim};
use wallet::Wallet;

#[hyperlapse::test(workload = AllAtOnce::users(3))]
async fn nobody_overdraws(sim: Sim) {
    let wallet = Arc::new(Wallet::with(100));
    let customers = Arc::clone(&wallet);
    sim.drive(move |user| {
        let wallet = Arc::clone(&customers);
        async move {
            let mut payment = user.operation();
            if wallet.pay(60).await {
                payment.accepted();
                payment.completed();
            } else {
                payment.refused("too little");
            }
        }
    })
    .await;
    assert!(wallet.cents() >= 0, "{} cents are left", wallet.cents());
}
