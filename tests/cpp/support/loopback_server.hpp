#pragma once

// An HTTP server of contents in memory, with a thread for each connection.

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <system_error>
#include <thread>
#include <vector>

namespace filetree::testing {

// What is at one path.
struct Page {
    std::string content;
    bool has_length = true;
    bool has_ranges = true;
    std::chrono::milliseconds pause{0};  // before each 64 KiB
    std::string etag = "\"1\"";
};

class LoopbackServer {
   public:
    // The pages must outlive it.
    explicit LoopbackServer(const std::map<std::string, Page>& pages) : pages_(pages) {
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        socklen_t length = sizeof address;
        auto* const generic = reinterpret_cast<sockaddr*>(&address);
        if (listener_ < 0 || ::bind(listener_, generic, length) != 0 ||
            ::listen(listener_, 128) != 0 || ::getsockname(listener_, generic, &length) != 0) {
            throw std::system_error(errno, std::generic_category(), "loopback server");
        }
        url_ = "http://127.0.0.1:" + std::to_string(ntohs(address.sin_port)) + "/";
        accepting_ = std::thread([this] { accept_connections(); });
    }
    ~LoopbackServer() {
        stopping_ = true;
        ::shutdown(listener_, SHUT_RDWR);
        accepting_.join();
        for (Connection& connection : connections_) {
            ::shutdown(connection.fd, SHUT_RDWR);
            connection.thread.join();
            ::close(connection.fd);
        }
        ::close(listener_);
    }
    LoopbackServer(const LoopbackServer&) = delete;
    LoopbackServer& operator=(const LoopbackServer&) = delete;

    [[nodiscard]] std::string url(const std::string& path) const { return url_ + path; }
    [[nodiscard]] std::size_t requests() const { return requests_; }
    [[nodiscard]] std::size_t connections() const { return accepted_; }
    [[nodiscard]] std::uint64_t sent() const { return sent_; }

   private:
    struct Connection {
        int fd;
        std::thread thread;
    };

    void accept_connections() {
        for (;;) {
            const int fd = ::accept(listener_, nullptr, nullptr);
            if (fd < 0) return;
            ++accepted_;
            const int at_once = 1;
            ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &at_once, sizeof at_once);
            connections_.push_back({fd, std::thread([this, fd] { serve(fd); })});
        }
    }

    void serve(int fd) {
        std::string read;
        while (!stopping_) {
            std::size_t end = 0;
            while ((end = read.find("\r\n\r\n")) == std::string::npos) {
                char buffer[4096];
                const ssize_t got = ::recv(fd, buffer, sizeof buffer, 0);
                if (got <= 0) return;
                read.append(buffer, static_cast<std::size_t>(got));
            }
            const std::string request = read.substr(0, end);
            read.erase(0, end + 4);
            ++requests_;
            if (!answer(fd, request)) break;
        }
        ::shutdown(fd, SHUT_RDWR);
    }

    // False: the connection is at its end.
    bool answer(int fd, const std::string& request) {
        const std::string path = request.substr(5, request.find(' ', 5) - 5);
        const auto found = pages_.find(path);
        if (found == pages_.end()) {
            return send(fd, "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n");
        }
        const Page& page = found->second;
        std::string head = "HTTP/1.1 200 OK\r\n";
        std::string_view body = page.content;
        const std::size_t range = request.find("Range: bytes=");
        if (page.has_ranges && range != std::string::npos) {
            const std::string wanted = request.substr(range + 13);
            const std::size_t first = std::stoull(wanted);
            const std::string rest = wanted.substr(wanted.find('-') + 1);
            const bool open_ended = rest.empty() || rest[0] == '\r';
            const std::size_t last = open_ended ? body.size() - 1 : std::stoull(rest);
            body = body.substr(first, last - first + 1);
            head = "HTTP/1.1 206 Partial Content\r\nContent-Range: bytes " + std::to_string(first) +
                   "-" + std::to_string(last) + "/" + std::to_string(page.content.size()) + "\r\n";
        }
        head += "ETag: " + page.etag + "\r\n";
        if (page.has_ranges) head += "Accept-Ranges: bytes\r\n";
        head += page.has_length ? "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n"
                                : std::string("Connection: close\r\n\r\n");
        if (!send(fd, head)) return false;
        while (!body.empty() && !stopping_) {
            std::this_thread::sleep_for(page.pause);
            const std::string_view part = body.substr(0, std::size_t{64} << 10U);
            if (!send(fd, part)) return false;
            sent_ += part.size();
            body.remove_prefix(part.size());
        }
        return page.has_length;
    }

    static bool send(int fd, std::string_view bytes) {
        while (!bytes.empty()) {
            const ssize_t sent = ::send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL);
            if (sent <= 0) return false;
            bytes.remove_prefix(static_cast<std::size_t>(sent));
        }
        return true;
    }

    const std::map<std::string, Page>& pages_;
    const int listener_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    std::string url_;
    std::atomic<bool> stopping_{false};
    std::atomic<std::size_t> requests_{0};
    std::atomic<std::size_t> accepted_{0};
    std::atomic<std::uint64_t> sent_{0};
    std::vector<Connection> connections_;  // the accepting thread's until it has ended
    std::thread accepting_;
};

}  // namespace filetree::testing
