/** Versions that a cluster for tries is made of. */

/** What the triggers of keda/*.yaml were checked against. */
export const LEAST_KEDA = "2.20.0";
export const KEDA_VERSION = "2.20.0";
/** KEDA's own manifest of that release; it is too large for `kubectl apply` without --server-side. */
export const KEDA_MANIFEST = `https://github.com/kedacore/keda/releases/download/v${KEDA_VERSION}/keda-${KEDA_VERSION}.yaml`;
/** Whose context the overlay's target.yaml names. */
export const CLUSTER_NAME = "tl-engine";
