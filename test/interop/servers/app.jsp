<%@ page session="false" import="java.io.*,java.security.*,java.util.*" trimDirectiveWhitespaces="true" %><%
// The application of the AJP tests: what it does is in the query, as in app.py.
String what = request.getQueryString() == null ? "" : request.getQueryString();
Map<String, String> query = new HashMap<>();
for (String part : what.split("&")) {
  int equals = part.indexOf('=');
  if (equals > 0) query.put(part.substring(0, equals), part.substring(equals + 1));
}
String mode = query.getOrDefault("do", "hello");
OutputStream output = response.getOutputStream();
String text;
switch (mode) {
  case "early":
    response.setStatus(403);
    text = "early";
    break;
  case "error":
    throw new RuntimeException("on purpose");
  case "sum": {
    MessageDigest digest = MessageDigest.getInstance("SHA-256");
    InputStream input = request.getInputStream();
    byte[] piece = new byte[65536];
    long size = 0;
    for (int n = input.read(piece); n >= 0; n = input.read(piece)) {
      digest.update(piece, 0, n);
      size += n;
    }
    text = size + " " + HexFormat.of().formatHex(digest.digest());
    break;
  }
  case "big": {
    int count = Integer.parseInt(query.get("n"));
    if (query.containsKey("length")) response.setContentLengthLong(count * 65536L);
    byte[] piece = new byte[65536];
    for (int i = 0; i < count; i++) {
      Arrays.fill(piece, (byte) i);
      output.write(piece);
    }
    return;
  }
  case "die":
    response.setContentLength(5000);
    output.write(new byte[1000]);
    output.flush();
    Thread.sleep(200);
    Runtime.getRuntime().halt(1);
    return;
  case "fields":
    response.setStatus(299);
    response.addHeader("Set-Cookie", "a=1");
    response.addHeader("Set-Cookie", "b=2");
    response.setHeader("X-Odd", "caf\u00e9 \"x\"");
    return;
  case "attributes":
    // What a connector makes of AJP's attributes, then those that it gives the names they came with.
    java.security.cert.X509Certificate[] chain =
      (java.security.cert.X509Certificate[]) request.getAttribute("jakarta.servlet.request.X509Certificate");
    text = String.join("\n", "user " + request.getRemoteUser(), "type " + request.getAuthType(),
      "address " + request.getRemoteAddr(), "port " + request.getRemotePort(), "server " + request.getServerName() + ":" + request.getServerPort(),
      "secure " + request.isSecure() + " " + request.getScheme(),
      "cipher " + request.getAttribute("jakarta.servlet.request.cipher_suite"),
      "bits " + request.getAttribute("jakarta.servlet.request.key_size"),
      "session " + request.getAttribute("jakarta.servlet.request.ssl_session_id"),
      "protocol " + request.getAttribute("org.apache.tomcat.util.net.secure_protocol_version"),
      "certificate " + (chain == null ? "null" : chain[0].getSubjectX500Principal().getName()),
      "SITE " + request.getAttribute("SITE"), "DEPARTMENT " + request.getAttribute("DEPARTMENT"),
      "NOTE " + request.getAttribute("NOTE"), "field " + request.getHeader("Variable-NOTE"));
    break;
  case "slow":
    Thread.sleep(400);
    text = query.get("n");
    break;
  case "who":
    text = String.join("\n", request.getMethod(), request.getRequestURI(), request.getRemoteAddr(),
      request.getHeader("Host"), String.join(", ", Collections.list(request.getHeaders("X-Twice"))),
      String.valueOf(request.getHeader("Cookie")), request.getScheme());
    break;
  default:
    text = System.getProperty("name", "hello");
}
byte[] data = text.getBytes("ISO-8859-1");
response.setContentType("text/plain");
response.setContentLength(data.length);
output.write(data);
%>
