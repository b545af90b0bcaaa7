//! Capacity is restored when all have left.

use crate::property::Property;
use crate::world::Sim;

/// The default property of [`capacity_restored`].
pub const CAPACITY_RESTORED: Property = Property::always(
    "capacity restored",
    "when all have left, exactly as many as the limit get in",
);

/// Takes one after the other until there is no more, in the calm after the load ([`Sim::calm`]): there must be
/// exactly `limit`. Fewer were lost, more were given back twice. What was taken is dropped in the end.
pub fn capacity_restored<G>(
    sim: &Sim,
    property: &Property,
    limit: u64,
    mut take: impl FnMut() -> Option<G>,
) {
    // One more than there should be, and no further: a system without any limit must not hold up the run.
    let taken: Vec<G> = (0..=limit).map_while(|_| take()).collect();
    judge(sim, property, limit, taken.len() as u64);
}

/// The same where taking waits: `None` when it would wait for ever, as a timeout tells.
pub async fn capacity_restored_async<G, Fut>(
    sim: &Sim,
    property: &Property,
    limit: u64,
    mut take: impl FnMut() -> Fut,
) where
    Fut: Future<Output = Option<G>>,
{
    let mut taken = Vec::new();
    while taken.len() as u64 <= limit
        && let Some(one) = take().await
    {
        taken.push(one);
    }
    judge(sim, property, limit, taken.len() as u64);
}

fn judge(sim: &Sim, property: &Property, limit: u64, taken: u64) {
    sim.check_with(property, taken == limit, || match taken > limit {
        true => format!("more than {limit} got in, which is the limit"),
        false => format!("{taken} got in, the limit is {limit}"),
    });
}
