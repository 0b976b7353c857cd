# A Ruby application that listens on PORT: a thread for each connection, one request on each. What it does is in the query.
require 'socket'
require 'digest'

def body(client, headers)
  client.write "HTTP/1.1 100 Continue\r\n\r\n" if headers['expect']
  return client.read(headers['content-length'].to_i) || '' unless headers['transfer-encoding'].to_s.downcase == 'chunked'
  whole = +''
  loop do
    size = client.gets.to_i(16)
    whole << client.read(size)
    client.gets
    return whole if size.zero?
  end
end

def answer(client, method, text, status = '200 OK', *fields)
  head = ["HTTP/1.1 #{status}", "Content-Length: #{text.bytesize}", 'Connection: close', *fields]
  client.write(head.join("\r\n") + "\r\n\r\n")
  client.write text unless method == 'HEAD'
end

def big(client, count, length)
  client.write "HTTP/1.1 200 OK\r\nConnection: close\r\n#{"Content-Length: #{count * 65_536}\r\n" if length}\r\n"
  count.times { |i| client.write((i % 256).chr * 65_536) }
end

def die(client)
  client.write "HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\n" + 'x' * 1000
  sleep(0.2)
  Process.kill('KILL', Process.pid)
end

def serve(client)
  method, target, = (client.gets or return).split
  headers = Hash.new { |hash, name| hash[name] = '' }
  while (line = client.gets) && line != "\r\n"
    name, value = line.chomp.split(': ', 2)
    headers[name.downcase] = headers.key?(name.downcase) ? "#{headers[name.downcase]}, #{value}" : value
  end
  # Before the body is here.
  return answer(client, method, 'early', '403 Forbidden') if target.include?('do=early')
  sent = body(client, headers)
  case target
  when /do=sum/ then answer(client, method, "#{sent.bytesize} #{Digest::SHA256.hexdigest(sent)}")
  when /do=big&n=(\d+)(&length)?/ then big(client, $1.to_i, $2)
  when /do=slow&n=(\d+)/
    sleep(0.4)
    answer(client, method, $1)
  when /do=die/ then die(client)
  when /do=error/ then answer(client, method, '', '500 Internal Server Error')
  when /do=fields/
    answer(client, method, '', '299 Odd Enough', 'Set-Cookie: a=1', 'Set-Cookie: b=2', "X-Odd: caf\xE9 \"x\"".b)
  when /do=who/
    path = target.split('?').first
    answer(client, method, [method, path, client.peeraddr[3], *headers.values_at('host', 'x-twice', 'cookie'), 'http'].join("\n"))
  else answer(client, method, ENV.fetch('NAME', 'hello'))
  end
rescue SystemCallError, IOError
  nil
ensure
  client.close
end

server = TCPServer.new('127.0.0.1', Integer(ENV.fetch('PORT')))
$stdout.puts 'listening'
$stdout.flush
trap('TERM') { exit!(0) }
loop { Thread.new(server.accept) { |client| serve(client) } }
