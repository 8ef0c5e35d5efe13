// The icon before the name of a channel.

import { avatar, icon } from "../dom.js";
import { isApp, isDirect, store } from "../state/store.js";

export function channelLead(channel, faceSize, iconSize) {
  if (isApp(channel)) return avatar(null, faceSize);
  if (channel.is_im) return avatar(store.users.get(channel.user), faceSize);
  return icon(isDirect(channel) ? "people" : channel.is_private ? "lock" : "hash", iconSize);
}
