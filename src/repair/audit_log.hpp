#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <mutex>
#include <string>
#include <string_view>

#include "../fs/unique_fd.hpp"
#include "filetree/repair.hpp"

namespace filetree::repair {

// Lines for the system log, to the socket /dev/log as syslog(3) sends them (RFC 3164, section 4.1;
// facility user, severity info, ident "pwalk"). Not syslog(3) itself: its ident belongs to the
// process, not to a library, and it does not tell what gets lost.
//
// Threads: any. A log that takes nothing for a second, or is gone for a second, is not waited for
// again until it takes something.
class AuditLog {
   public:
    // One line about a change that has been made.
    void changed(const ChangeRecord& record, std::string_view path, std::uint64_t inode);
    // Lines that were not taken.
    [[nodiscard]] std::uint64_t lost() const noexcept { return lost_.load(); }

   private:
    [[nodiscard]] bool reconnect();
    [[nodiscard]] bool connect();
    [[nodiscard]] bool send(std::string_view line);

    std::mutex mutex_;
    UniqueFd socket_;
    bool stream_ = false;
    bool patient_ = true;
    bool was_there_ = false;
    std::chrono::steady_clock::time_point retry_at_{};
    std::atomic<std::uint64_t> lost_{0};
};

// A path in double quotes, in which every byte but plain printable ASCII is \xNN, and so are the
// quote and the backslash: nothing in it can end the quotes or the line.
void append_quoted(std::string_view path, std::string& out);

}  // namespace filetree::repair
