use std::sync::Arc;

use hyperlapse::{AllAtOnce, Sim};
use wallet::Wallet;

#[hyperlapse::test(workload = AllAtOnce::users(3))]
async fn nobody_overdraws(sim: Sim) {
    let wallet = Arc::new(Wallet::with(100));
    sim.drive_with(&wallet, |user, wallet| async move {
        let mut payment = user.operation();
        if wallet.pay(60).await {
            payment.accepted();
            payment.completed();
        } else {
            payment.refused("too little");
        }
    })
    .await;
    assert!(wallet.cents() >= 0, "{} cents are left", wallet.cents());
}
