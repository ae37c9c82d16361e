/**
 * What limits count by: an IPv4 address, or the /64 network of an IPv6 address, which belongs to one subscriber. Groups
 * have no leading zeros, so that a network has one spelling.
 */
export const networkOf = (address: string): string => {
  const mapped = /^::ffff:(\d+(?:\.\d+){3})$/i.exec(address)?.[1]
  if (mapped !== undefined) return mapped
  if (!address.includes(":")) return address
  const [left = "", right] = address.toLowerCase().replace(/%.*$/, "").split("::")
  const groups = left === "" ? [] : left.split(":")
  const rest = right === undefined || right === "" ? [] : right.split(":")
  const zeros = Array.from({ length: Math.max(0, 8 - groups.length - rest.length) }, () => "0")
  const first = [...groups, ...zeros, ...rest].slice(0, 4)
  return `${first.map((group) => group.replace(/^0+(?=.)/, "")).join(":")}::/64`
}
