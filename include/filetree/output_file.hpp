#pragma once

// A file that appears under its name only when it is complete.

#include <string>

namespace filetree {

// Written without a name where the file system can (O_TMPFILE, on Linux), so that nothing is left
// even by SIGKILL; else under a temporary name beside its own. What is no regular file (a device, a
// FIFO) is written directly. A symlink's target is replaced, not the symlink.
//
// Threads: one at a time.
class OutputFile {
   public:
    // Throws SystemError: ENOENT for a missing directory, EISDIR, EACCES, ....
    explicit OutputFile(const std::string& path);
    // Discards what was not committed.
    ~OutputFile();
    OutputFile(const OutputFile&) = delete;
    OutputFile& operator=(const OutputFile&) = delete;

    [[nodiscard]] int fd() const noexcept { return fd_; }
    // Syncs the content and gives it its name, replacing what had it. Throws SystemError.
    void commit();
    void discard() noexcept;

   private:
    [[nodiscard]] bool open_unnamed();
    void open_named();
    void publish_unnamed();
    [[noreturn]] void fail(int error) const;

    std::string path_;       // as given, for messages
    std::string target_;     // with symlinks resolved
    std::string directory_;  // of target_
    std::string temporary_;  // empty while the file has no name
    int fd_ = -1;
    bool direct_ = false;
};

}  // namespace filetree
