# A Ruby application that listens on PORT: a thread for each connection, one request on each. What it does is in the query.
require 'socket'
require 'digest'

def body(client, headers)
  return client.read(headers['content-length'].to_i) || '' unless headers['transfer-encoding'].to_s.downcase == 'chunked'
  whole = +''
  loop do
    size = client.gets.to_i(16)
    whole << client.read(size)
    client.gets
    return whole if size.zero?
  end
end

def serve(client)
  method, target, = (client.gets or return).split
  headers = {}
  while (line = client.gets) && line != "\r\n"
    name, value = line.chomp.split(': ', 2)
    headers[name.downcase] = value
  end
  sent = body(client, headers)
  text = case target
         when /do=sum/ then "#{sent.bytesize} #{Digest::SHA256.hexdigest(sent)}"
         when /do=big&n=(\d+)/ then (0...$1.to_i).map { |i| (i % 256).chr * 65_536 }.join
         when /do=slow&n=(\d+)/ then sleep(0.3) && $1
         else ENV.fetch('NAME', 'hello')
         end
  client.write "HTTP/1.1 200 OK\r\nContent-Length: #{text.bytesize}\r\nConnection: close\r\n\r\n"
  client.write text unless method == 'HEAD'
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
