#include "audit_log.hpp"

#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <ctime>
#include <thread>

#include "../fs/platform.hpp"

namespace filetree::repair {
namespace {

constexpr std::string_view log_socket = "/dev/log";
constexpr int user_info = 1 * 8 + 6;  // facility user, severity info
constexpr std::chrono::seconds patience{1};
// What log daemons commonly take; a longer path is cut off, visibly.
constexpr std::size_t most_quoted = 6000;

std::string header() {
    const std::time_t now = std::time(nullptr);
    std::tm local{};
    ::localtime_r(&now, &local);
    // English, whatever the locale.
    static constexpr std::array<const char*, 12> months = {
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    std::array<char, 64> text{};
    (void)std::snprintf(text.data(), text.size(),
                        "<%d>%s %2d %02d:%02d:%02d pwalk[%d]: ", user_info,
                        months[static_cast<std::size_t>(local.tm_mon)], local.tm_mday,
                        local.tm_hour, local.tm_min, local.tm_sec, static_cast<int>(::getpid()));
    return text.data();
}

std::string line_of(const ChangeRecord& record, std::string_view path, std::uint64_t inode) {
    std::array<char, 160> text{};
    (void)std::snprintf(text.data(), text.size(),
                        "changed uid=%u gid=%u->%u mode=%04o->%04o inode=%llu path=", record.uid,
                        record.old_gid, record.new_gid, record.old_mode, record.new_mode,
                        static_cast<unsigned long long>(inode));
    std::string line = header() + text.data();
    const std::size_t quoted_at = line.size();
    append_quoted(path, line);
    if (line.size() - quoted_at > most_quoted) {
        line.resize(quoted_at + most_quoted);
        // No escape is cut in two.
        const std::size_t escape = line.rfind('\\');
        if (escape != std::string::npos && line.size() - escape < 4) line.resize(escape);
        line += "\"...";
    }
    return line;
}

}  // namespace

void append_quoted(std::string_view path, std::string& out) {
    constexpr std::string_view digits = "0123456789abcdef";
    out.push_back('"');
    for (const char c : path) {
        const auto byte = static_cast<unsigned char>(c);
        if (byte >= 32 && byte < 127 && c != '"' && c != '\\') {
            out.push_back(c);
        } else {
            out.append("\\x").push_back(digits[byte >> 4U]);
            out.push_back(digits[byte & 15U]);
        }
    }
    out.push_back('"');
}

void AuditLog::changed(const ChangeRecord& record, std::string_view path, std::uint64_t inode) {
    const std::string line = line_of(record, path, inode);
    const std::lock_guard lock(mutex_);
    // A log daemon that has been restarted has another socket.
    const bool sent = (socket_ && send(line)) || (reconnect() && send(line));
    if (!sent) lost_.fetch_add(1);
    patient_ = sent;
}

// One that has been there is probably being restarted.
bool AuditLog::reconnect() {
    const auto now = std::chrono::steady_clock::now();
    if (now < retry_at_) return false;
    const bool wait = was_there_ && patient_;
    const auto end = now + patience;
    while (!connect()) {
        if (!wait || std::chrono::steady_clock::now() >= end) {
            retry_at_ = std::chrono::steady_clock::now() + patience;
            return false;
        }
        std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
    was_there_ = true;
    return true;
}

bool AuditLog::connect() {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    log_socket.copy(address.sun_path, sizeof address.sun_path - 1);
    for (const int type : {SOCK_DGRAM, SOCK_STREAM}) {
        socket_ = UniqueFd(platform::open_socket(AF_UNIX, type, 0));
        if (!socket_) return false;
        const timeval limit{patience.count(), 0};
        ::setsockopt(socket_.get(), SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
        if (::connect(socket_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) ==
            0) {
            stream_ = type == SOCK_STREAM;
            return true;
        }
        if (errno != EPROTOTYPE) break;
    }
    socket_ = {};
    return false;
}

bool AuditLog::send(std::string_view line) {
    std::string message(line);
    if (stream_) message.push_back('\0');  // where one ends, as syslog(3) says it
    std::string_view rest = message;
    while (!rest.empty()) {
        const ssize_t done = platform::send_to(socket_.get(), rest.data(), rest.size(), patient_);
        if (done < 0 && errno == EINTR) continue;
        if (done < 0) {
            // One that is busy stays connected, unless half a message is on its way.
            const bool busy = errno == EAGAIN && rest.size() == message.size();
            if (!busy) socket_ = {};
            return false;
        }
        rest.remove_prefix(static_cast<std::size_t>(done));
    }
    return true;
}

}  // namespace filetree::repair
