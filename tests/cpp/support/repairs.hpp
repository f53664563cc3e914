#pragma once

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <memory>
#include <ostream>
#include <string>
#include <thread>
#include <vector>

#include "../fs/platform.hpp"
#include "filetree/faulty_fs.hpp"
#include "filetree/posix_fs.hpp"
#include "filetree/repair.hpp"
#include "support/faults.hpp"
#include "support/limits.hpp"
#include "support/temporary_directory.hpp"

namespace filetree::testing {

// For the beginning of a test. Owners and groups can be chosen by root only.
#define FILETREE_NEEDS_REPAIRS()                                                   \
    if (!platform::can_pin) GTEST_SKIP() << "there are no repairs on this system"; \
    if (::geteuid() != 0) GTEST_SKIP() << "only root can give entries to others"

// A user, a group of that user's own, and a shared group that is nobody's number.
constexpr std::uint32_t user = 4001;
constexpr std::uint32_t shared_group = 4100;
constexpr std::uint32_t other_group = 4200;
constexpr std::uint32_t existing_group = 1;  // daemon, everywhere

// Group and permission bits of an entry.
struct Values {
    std::uint32_t gid = 0;
    std::uint32_t mode = 0;

    friend bool operator==(const Values&, const Values&) = default;
    friend std::ostream& operator<<(std::ostream& out, const Values& values) {
        return out << values.gid << " " << std::oct << values.mode << std::dec;
    }
};

inline Values values_of(const std::string& path) {
    struct stat status {};
    EXPECT_EQ(::lstat(path.c_str(), &status), 0) << path;
    return {status.st_gid, status.st_mode & 07777U};
}

inline std::uint64_t inode_of(const std::string& path) {
    struct stat status {};
    EXPECT_EQ(::lstat(path.c_str(), &status), 0) << path;
    return status.st_ino;
}

inline void give(const std::string& path, std::uint32_t uid, const Values& values) {
    ASSERT_EQ(::lchown(path.c_str(), uid, values.gid), 0) << path;
    ASSERT_EQ(::chmod(path.c_str(), values.mode), 0) << path;
}

// A tree whose top is shared; what is put into it is the user's.
class SharedTree {
   public:
    SharedTree() {
        ::mkdir(top.c_str(), 0700);
        give(top, user, {shared_group, 02770});
    }
    std::string file(const std::string& name, const Values& values,
                     std::uint32_t owner = user) const {
        std::string path = outside.add_file("top/" + name, 7);
        give(path, owner, values);
        return path;
    }
    std::string directory(const std::string& name, const Values& values,
                          std::uint32_t owner = user) const {
        std::string path = outside.add_directory("top/" + name);
        give(path, owner, values);
        return path;
    }
    [[nodiscard]] std::string operator/(const std::string& name) const { return top + "/" + name; }

    TemporaryDirectory outside;
    const std::string top = outside / "top";
};

// What a repair or an undo came to.
struct Outcome {
    RepairCounts counts;
    std::vector<ChangeRecord> changes;  // by path
    std::vector<ChangeRecord> skipped;  // by path
    std::vector<std::string> errors;    // as texts() has them

    [[nodiscard]] std::vector<std::string> changed_paths() const {
        std::vector<std::string> paths;
        for (const ChangeRecord& record : changes) paths.push_back(record.path);
        return paths;
    }
};

inline Outcome outcome_of(const RepairRecords& records) {
    Outcome outcome{records.counts(), records.changes(0, 100'000), records.skipped(0, 100'000),
                    texts(records.errors())};
    const auto by_path = [](const ChangeRecord& a, const ChangeRecord& b) {
        return a.path < b.path;
    };
    std::sort(outcome.changes.begin(), outcome.changes.end(), by_path);
    std::sort(outcome.skipped.begin(), outcome.skipped.end(), by_path);
    return outcome;
}

inline RepairOptions repair_options(bool dry_run, std::string journal = {}) {
    RepairOptions options;
    options.dry_run = dry_run;
    options.journal = std::move(journal);
    return options;
}

inline Outcome run_repair(const std::string& top, RepairOptions options = repair_options(false),
                          std::shared_ptr<FileSystem> fs = make_posix_file_system()) {
    Repair repair(std::move(fs), top, options);
    EXPECT_TRUE(repair.wait(patience));
    return outcome_of(repair);
}

inline Outcome run_undo(const std::string& journal, bool dry_run = false,
                        std::shared_ptr<FileSystem> fs = make_posix_file_system()) {
    Undo undo(std::move(fs), journal, dry_run);
    while (!undo.advance(std::chrono::seconds(1))) {
    }
    return outcome_of(undo);
}

// The real file system, failing where a policy says so.
inline std::shared_ptr<FaultyFileSystem> failing(FaultPolicy policy) {
    return std::make_shared<FaultyFileSystem>(make_posix_file_system(), std::move(policy));
}

// Runs `body` on a thread that is another user's, as those are that it starts.
template <class Body>
void as_user(Body body) {
    std::thread([&] {
        // Not seteuid(2), which makes all threads change.
        ASSERT_EQ(::syscall(SYS_setresuid, -1, user, -1), 0);
        body();
    }).join();
}

// Each of two entries takes the other's name, at once.
inline void swap_names(const std::string& one, const std::string& other) {
    ASSERT_EQ(
        ::syscall(SYS_renameat2, AT_FDCWD, one.c_str(), AT_FDCWD, other.c_str(), RENAME_EXCHANGE),
        0);
}

constexpr std::uint8_t kind_bits(std::initializer_list<ChangeKind> kinds) {
    unsigned bits = 0;
    for (const ChangeKind kind : kinds) bits |= 1U << static_cast<unsigned>(kind);
    return static_cast<std::uint8_t>(bits);
}

}  // namespace filetree::testing
