// Package history records what clients did to groups and what gateways showed of
// them, and decides whether that is what Sluice promises of several gateways on
// one stream.
//
// # What is promised
//
//   - Changes are linearizable: there is one order of all changes of a group, the same
//     for all gateways. A change that was accepted is in it once, between its call and
//     its return. A change that was refused is not in it. A change of unknown outcome is
//     in it once, anywhere after its call, or not at all.
//   - A gateway shows the state of the group after some change, and moves only forwards
//     in that order. It may lag behind other gateways.
//   - A gateway that has accepted a change shows it, or a later one, in all later reads.
//   - A gateway that was started shows at least the state at its start.
//   - In the end, when nobody changes anything any more, all gateways show the last
//     change.
//
// # Caveats
//
// Each change must push a value that no other change pushes. Each push must have the
// first family and each put the second one. Otherwise what reduce leaves out of a
// history would make a difference.
package history
