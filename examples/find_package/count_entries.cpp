// Counts the entries below a directory: the least that a user of the core writes.

#include <filetree/posix_fs.hpp>
#include <filetree/walk.hpp>

#include <cstdio>

namespace {

// The walk counts by itself; this sink has nothing to do.
class NoSink final : public filetree::EntrySink {
   public:
    void entries(const filetree::WalkedDirectory& /*parent*/, const filetree::Listing& /*names*/,
                 std::span<const std::uint32_t> /*selected*/, std::size_t /*first*/,
                 const filetree::StatResult* /*stats*/) override {}
    void directory(const filetree::WalkedDirectory& /*directory*/,
                   const filetree::DirectoryTotals& /*totals*/) override {}
    void flush() override {}
};

}  // namespace

int main(int count, char** words) {
    if (count != 2) {
        std::fprintf(stderr, "usage: count_entries DIR\n");
        return 2;
    }
    filetree::Walk walk(filetree::make_posix_file_system(), words[1], {},
                        [] { return std::make_unique<NoSink>(); });
    while (!walk.wait_finished(std::chrono::hours(1))) {
    }
    std::printf("%llu\n", static_cast<unsigned long long>(walk.progress().entries()));
    return 0;
}
