/** What Go's url.Parse, which KEDA reads hosts with, takes no URL for though JavaScript's does. */

/** net/url's validUserinfo: letters, digits and these; the rest has to be percent-encoded. */
const USER_INFO = /^[A-Za-z0-9\-._:~!$&'()*+,;=%@]*$/;
const ESCAPES = /%(?![0-9A-Fa-f]{2})/;

/** Why KEDA can't use a host, without a word of what stands in it; undefined where it can. */
export function goUrlFault(host: string): string | undefined {
  const [, authority = ""] = /^[a-z][a-z0-9+.-]*:\/\/([^/?#]*)/i.exec(host) ?? [];
  const at = authority.lastIndexOf("@");
  const userInfo = at < 0 ? "" : authority.slice(0, at);
  if (!USER_INFO.test(userInfo))
    return 'its user or password holds a character that must be percent-encoded, such as " < > [ ] ^ ` { | } or a space';
  if (ESCAPES.test(authority)) return "it holds a % that begins no escape; % itself is written %25";
  const port = /:([^:\]]*)$/.exec(authority.slice(at + 1))?.[1] ?? "";
  // Where a password holds a slash, the authority ends there, and what was to be the password is the port.
  if (!/^\d*$/.test(port))
    return "what should be its port is no number: a / in a password is written %2F, a ? %3F, a # %23";
  return undefined;
}
