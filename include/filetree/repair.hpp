#pragma once

// Making a shared tree usable by its group, as root, without ever making things worse.
//
// The rules, for each entry below and including the top:
// 1. A directory gets setgid if it lacks it.
// 2. An entry whose group is unsuitable (its number is the owner's: a private group; or 0; or among
//    change_gids) gets the group of the nearest directory above it, not above the top, whose own
//    group is suitable. Where there is none, that is one error, the top's.
// 3. A directory gets at least g+rx, a regular file g+r; with force_group_writable g+w too.
// 4. Symlinks are left alone; devices, FIFOs and sockets get the group only.
// A change of group takes setuid and setgid away from what is no directory; files that keep setuid
// or setgid get less, or nothing, and are listed, as are others to which a change could do harm
// (SkipReason). All of it depends on nothing but the tree, so that a second run, whenever the first
// one ended, finds what is left.
//
// Safety on a tree whose owners are hostile: what needs a change is taken hold of by a descriptor,
// relative to its directory's and without following a symlink; it is looked at and judged again
// through that descriptor, and changed through it. Its directory must be the one that was listed.
// What remains is a window between looking and changing in which the owner may change the same
// bits.

#include <array>
#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "filetree/walk.hpp"

namespace filetree {
namespace repair {
struct Plan;
}

struct RepairOptions {
    WalkOptions walk;
    bool dry_run = true;
    std::vector<std::uint32_t> change_gids;
    bool force_group_writable = false;
    // Change what has other links too (directories apart): those may be anywhere.
    bool hard_links = false;
    // A file that gets each change before it is made, and is itself left alone; "": none.
    std::string journal;
};

// The kinds of change that one record may be about.
enum class ChangeKind : std::uint8_t { group, setgid, permissions, cleared };
inline constexpr std::size_t change_kinds = 4;

// Why an entry was left alone that would have been changed.
enum class SkipReason : std::uint8_t {
    hard_links,       // it has other links, and may be linked from outside
    setuid,           // it keeps setuid or setgid, and so is not made writable for the group
    setgid,           // it keeps setgid, which its owner must not get back after writing to it
    capabilities,     // a change of group would take its capabilities
    acl,              // more permissions would be more for those that its ACL names
    unsteady,         // it changed again and again
    replaced,         // another entry has taken its place
    is_protected,     // it is, or lies in, a protected directory that is mounted here
    automount_point,  // looking at it closely would mount something
    changed_since,    // undo: it is not what the journal left
    missing,          // undo: nothing is there
    written_since,    // undo: it had setuid or setgid bits, and its content may be another's now
};

// Permission bits (07777) and group, before and after.
struct ChangeRecord {
    std::string path;
    std::uint8_t kinds = 0;  // bit k: ChangeKind k
    SkipReason reason{};     // of what was skipped
    std::uint32_t uid = 0;
    std::uint32_t old_gid = 0;
    std::uint32_t new_gid = 0;
    std::uint32_t old_mode = 0;
    std::uint32_t new_mode = 0;
};

struct RepairCounts {
    std::array<std::uint64_t, change_kinds> kinds{};  // indexed by ChangeKind
    std::uint64_t changes = 0;                        // records in changes()
    std::uint64_t skipped = 0;                        // records in skipped()
    std::uint64_t unlogged = 0;  // changes made that did not get into the system log
};

// What repair and undo have in common: their records, kept in memory up to 64 MiB, and in a file
// without a name beyond.
//
// Threads: every call may come from any thread.
class RepairRecords {
   public:
    RepairRecords(const RepairRecords&) = delete;
    RepairRecords& operator=(const RepairRecords&) = delete;
    virtual ~RepairRecords();

    [[nodiscard]] RepairCounts counts() const;
    // Records [first, first + count), as far as there are any. Throws SystemError when the file
    // cannot be read.
    [[nodiscard]] std::vector<ChangeRecord> changes(std::size_t first, std::size_t count) const;
    [[nodiscard]] std::vector<ChangeRecord> skipped(std::size_t first, std::size_t count) const;
    [[nodiscard]] virtual std::vector<EntryError> errors() const = 0;

    struct Records;

   protected:
    RepairRecords();
    std::shared_ptr<Records> records_;
};

// A running repair.
//
// Threads: wait() and close() come from one thread at a time, the rest from any.
class Repair final : public RepairRecords {
   public:
    // Checks everything before the walk starts. Throws std::invalid_argument for options that
    // cannot be used, ProtectedPath, and SystemError: EOPNOTSUPP on systems other than Linux; EPERM
    // when it is no dry run and the process is not root's; the top's or the journal's errno.
    Repair(std::shared_ptr<FileSystem> fs, const std::string& top, const RepairOptions& options);
    ~Repair() override;

    // Waits for the end. False: not yet. Throws what ended the walk early.
    [[nodiscard]] bool wait(std::chrono::nanoseconds timeout);
    // Stops after the changes being made just now, and lets go of the journal. Idempotent.
    void close() noexcept;

    [[nodiscard]] WalkProgress progress() const;
    [[nodiscard]] std::vector<EntryError> errors() const override;

   private:
    std::shared_ptr<repair::Plan> plan_;
    std::unique_ptr<Walk> walk_;
};

// Puts back what a journal says, the last change first. An entry is restored only if it is the same
// inode, and its owner, group and mode are what the journal left.
class Undo final : public RepairRecords {
   public:
    // Throws SystemError: EOPNOTSUPP on systems other than Linux; EPERM when it is no dry run and
    // the process is not root's, or when anyone but root could have written the journal; the
    // journal's errno.
    Undo(std::shared_ptr<FileSystem> fs, const std::string& journal, bool dry_run);
    ~Undo() override;

    // Goes on for about this long. True: everything is done.
    [[nodiscard]] bool advance(std::chrono::nanoseconds time);
    [[nodiscard]] std::vector<EntryError> errors() const override;

   private:
    struct State;
    std::unique_ptr<State> state_;
};

// The top is a directory in which nothing is to be repaired, or lies in one.
class ProtectedPath : public std::invalid_argument {
   public:
    ProtectedPath(const std::string& top, const std::string& place);
};

// Whether the group database has the group. Throws SystemError when it cannot be asked.
[[nodiscard]] bool group_exists(std::uint32_t gid);

}  // namespace filetree
