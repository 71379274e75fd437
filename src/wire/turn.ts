/**
 * Milliseconds for which the commands of one connection are handled before all others have their turn: of those who send without
 * a pause each keeps the others waiting for so long and no longer, whatever its commands cost.
 */
export const turnTime = 0.2
