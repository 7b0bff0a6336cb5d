// Package history records what clients did to groups and what gateways showed of
// them, and decides whether that is what Sluice promises of several gateways on
// one stream.
//
// # What is promised
//
//   - Changes are linearizable: there is one order of all changes of a group, the
//     same for all gateways, and each change that was accepted stands in it
//     between its call and its return. One that was refused stands nowhere, and
//     one whose outcome nobody knows stands anywhere behind its call, or nowhere.
//     None stands there twice.
//   - A gateway shows the group as it was behind some change, and moves only
//     forwards in that order. It may lag behind other gateways.
//   - A gateway that has accepted a change shows it, or a later one, in all that
//     it is asked afterwards.
//   - A gateway that has been started shows at least what was there at its start.
//   - When all has come to rest every gateway shows the last change.
//
// # Caveats
//
// A history is only as good as its values: each change has to push a value that
// no other change pushes. The value of the first family stands in each push and
// that of the second one in each put, or what is left out of a history (see
// settle) would not be without effect.
package history
