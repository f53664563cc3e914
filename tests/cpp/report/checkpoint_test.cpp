// Checkpoints: what is committed is there again, whoever comes, and nothing else is.

#include "filetree/checkpoint.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <filesystem>
#include <fstream>
#include <set>
#include <sstream>
#include <thread>

#include "support/faults.hpp"
#include "support/limits.hpp"
#include "support/temporary_directory.hpp"

namespace filetree {
namespace {

namespace fs = std::filesystem;
using std::chrono::hours;
using std::chrono::milliseconds;
using testing::content_of;
using testing::patience;
using testing::TemporaryDirectory;

const Checkpoint::Identity identity{{"top", "'/data'"}, {"format", "csv"}};

class CheckpointTest : public ::testing::Test {
   protected:
    [[nodiscard]] std::unique_ptr<Checkpoint> open(bool resume = true,
                                                   const Checkpoint::Identity& of = identity) {
        return std::make_unique<Checkpoint>(path, ".csv", of, resume, hours(1));
    }

    static void write(int fd, const std::string& text) {
        ASSERT_EQ(::write(fd, text.data(), text.size()), static_cast<ssize_t>(text.size()));
    }

    static Mark mark(const std::string& frontier, std::uint64_t files,
                     std::vector<EntryError> errors = {}) {
        Mark made;
        made.frontier = frontier;
        made.errors = std::move(errors);
        made.progress.kinds[static_cast<std::size_t>(EntryType::regular)] = files;
        made.progress.bytes = 10 * files;
        made.progress.spilled = 100 * files;
        made.progress.elapsed = milliseconds(files);
        return made;
    }

    void commit(Checkpoint& checkpoint, const std::string& text, const Mark& of) {
        write(checkpoint.begin_part(), text);
        checkpoint.commit(of, 0);
    }

    [[nodiscard]] std::string whole(const Checkpoint& checkpoint, const TextOptions& text) const {
        const std::string file = directory.path() + "/whole";
        const int fd = ::open(file.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
        write_parts(checkpoint, text, fd, file, [] { return true; });
        ::close(fd);
        return content_of(file);
    }

    [[nodiscard]] std::set<std::string> names() const {
        std::set<std::string> found;
        for (const auto& entry : fs::directory_iterator(path)) {
            found.insert(entry.path().filename().string());
        }
        return found;
    }

    // What opening it says, when it is refused.
    std::string refusal(bool resume, const Checkpoint::Identity& of = identity) {
        const auto before = names();
        try {
            (void)open(resume, of);
        } catch (const std::invalid_argument& error) {
            EXPECT_EQ(names(), before);
            return error.what();
        }
        return "accepted";
    }

    TemporaryDirectory directory;
    std::string path = directory.path() + "/checkpoint";
};

constexpr TextOptions without_header{.header = false};

TEST_F(CheckpointTest, WhatIsCommittedIsThereAgain) {
    const EntryError error{"/data/a\nb\xff", Operation::open, EACCES};
    {
        const auto checkpoint = open(false);
        EXPECT_EQ(checkpoint->frontier(), "");
        commit(*checkpoint, "one\n", mark("left", 3, {error}));
        commit(*checkpoint, "two\n", mark("less", 5));
        write(checkpoint->begin_part(), "never committed");
    }
    const auto again = open();
    EXPECT_EQ(again->frontier(), "less");
    EXPECT_FALSE(again->complete());
    EXPECT_EQ(whole(*again, without_header), "one\ntwo\n");
    EXPECT_EQ(again->totals().progress.entries(), 5U);
    EXPECT_EQ(again->totals().progress.bytes, 50U);
    EXPECT_EQ(again->totals().progress.errors, 1U);
    ASSERT_EQ(again->errors().size(), 1U);
    EXPECT_EQ(again->errors()[0].path, error.path);
    EXPECT_EQ(again->errors()[0].operation, error.operation);
    EXPECT_EQ(again->errors()[0].error, error.error);
    EXPECT_EQ(names().count("part-000003.csv"), 0U) << "what was not committed is removed";
}

TEST_F(CheckpointTest, RunsAddUp) {
    commit(*open(false), "one\n", mark("a", 3, {{"/x", Operation::stat, EIO}}));
    commit(*open(), "two\n", mark("b", 4, {{"/y", Operation::read, EIO}}));
    {
        const auto last = open();
        EXPECT_EQ(last->totals_before().progress.entries(), 7U);
        write(last->begin_part(), "three\n");
        last->complete_with(mark("", 1), 0);
        EXPECT_TRUE(last->complete());
    }
    const auto complete = open();
    EXPECT_TRUE(complete->complete());
    EXPECT_EQ(complete->totals().progress.entries(), 8U);
    EXPECT_EQ(complete->totals().progress.spilled, 800U);
    EXPECT_EQ(complete->totals().progress.elapsed, milliseconds(8));
    EXPECT_EQ(complete->errors().size(), 2U);
    EXPECT_EQ(whole(*complete, without_header), "one\ntwo\nthree\n");
    complete->remove();
    EXPECT_EQ(names(), std::set<std::string>());
}

TEST_F(CheckpointTest, ADifferenceIsNamed) {
    commit(*open(false), "one\n", mark("a", 1));
    const std::string refused = refusal(true, {{"top", "'/data'"}, {"format", "binary"}});
    EXPECT_NE(refused.find("format csv, not binary"), std::string::npos) << refused;
    EXPECT_NE(refusal(true, {{"depth", "3"}}).find("depth"), std::string::npos);
    EXPECT_NE(refusal(false).find("unfinished"), std::string::npos);
    EXPECT_EQ(refusal(true), "accepted");
}

TEST_F(CheckpointTest, WhatIsOtherPeoplesIsLeftAlone) {
    fs::create_directory(path);
    std::ofstream(path + "/part-000001.csv") << "precious";
    EXPECT_NE(refusal(false).find("not empty"), std::string::npos);
    EXPECT_NE(refusal(true).find("not empty"), std::string::npos);
    EXPECT_EQ(content_of(path + "/part-000001.csv"), "precious");
}

TEST_F(CheckpointTest, DamageIsNoticed) {
    commit(*open(false), "one\n", mark("a", 1, {{"/x", Operation::stat, EIO}}));
    const std::string good = content_of(path + "/frontier");
    const auto put = [&](const std::string& bytes) {
        std::ofstream(path + "/frontier", std::ios::binary) << bytes;
    };
    for (std::size_t i = 0; i < good.size(); ++i) {
        std::string bad = good;
        bad[i] = static_cast<char>(bad[i] ^ 0x10);
        put(bad);
        ASSERT_NE(refusal(true).find("damaged"), std::string::npos) << i;
        put(good.substr(0, i));
        ASSERT_NE(refusal(true).find("damaged"), std::string::npos) << i;
    }
    put(good);
    std::ofstream(path + "/part-000001.csv", std::ios::app) << "more";
    EXPECT_NE(refusal(true).find("another size"), std::string::npos);
    fs::remove(path + "/part-000001.csv");
    EXPECT_NE(refusal(true).find("part-000001.csv is missing"), std::string::npos);
}

TEST_F(CheckpointTest, OneAtATime) {
    const auto first = open(false);
    try {
        (void)open();
        ADD_FAILURE() << "two at once";
    } catch (const SystemError& error) {
        EXPECT_EQ(error.error(), EBUSY);
    }
    first->close();
    EXPECT_EQ(refusal(true), "accepted");
}

TEST_F(CheckpointTest, MarksAreDueByTheClockAndAtTheEnd) {
    {
        Checkpoint quick(path, ".csv", identity, false, milliseconds(20));
        std::this_thread::sleep_for(milliseconds(30));
        EXPECT_TRUE(quick.due());
    }
    Checkpoint patient(path, ".csv", identity, false, std::chrono::hours(1));
    EXPECT_FALSE(patient.due());
    patient.marked(mark("", 0));
    EXPECT_FALSE(patient.due());
    patient.stop();
    EXPECT_TRUE(patient.due());
    Mark last = mark("", 0);
    last.last = true;
    patient.marked(last);
    EXPECT_FALSE(patient.due());
}

TEST_F(CheckpointTest, MarksThatWaitDoNotFillTheMemory) {
    Checkpoint quick(path, ".csv", identity, false, milliseconds(1));
    const Mark large = mark(std::string(std::size_t{80} << 20U, 'x'), 0);
    quick.marked(large);
    std::this_thread::sleep_for(milliseconds(5));
    EXPECT_FALSE(quick.due());
    quick.commit(large, 0);
    EXPECT_TRUE(quick.due());
}

// Reports of a computed tree, stopped again and again.
class CheckpointedReport : public CheckpointTest,
                           public ::testing::WithParamInterface<TextFormat> {};
INSTANTIATE_TEST_SUITE_P(Formats, CheckpointedReport,
                         ::testing::Values(TextFormat::csv, TextFormat::binary));

TEST_P(CheckpointedReport, IsTheSameHoweverOftenItWasStopped) {
    const SyntheticTree tree{.directories = 10, .files = 40, .depth = 3};
    const TextOptions text{.format = GetParam()};
    int runs = 0;
    std::uint64_t entries = 0;
    for (bool complete = false; !complete && runs < 1000; ++runs) {
        const std::shared_ptr<Checkpoint> checkpoint = open();
        const auto slow = testing::faulty(tree, [](const FaultyCall& call) {
            return Fault{0, milliseconds(call.operation == Operation::open ? 1 : 0), false};
        });
        FileReport report(slow, "t", {}, text, checkpoint);
        if (runs < 5) checkpoint->stop();
        while (!report.wait(patience)) {
        }
        report.close();
        complete = checkpoint->complete();
        entries = checkpoint->totals().progress.entries();
        checkpoint->close();
    }
    EXPECT_GT(runs, 1);
    EXPECT_EQ(entries, tree.total_files() + tree.total_directories() + 1);
    const auto checkpoint = open();
    const std::string content = whole(*checkpoint, text);
    if (GetParam() == TextFormat::csv) {
        std::multiset<std::string> lines;
        std::istringstream in(content);
        for (std::string line; std::getline(in, line);) lines.insert(line);
        EXPECT_EQ(lines.size(), entries + 1);
        EXPECT_EQ(std::set<std::string>(lines.begin(), lines.end()).size(), lines.size());
    } else {
        std::uint64_t records = 0;
        content.copy(reinterpret_cast<char*>(&records), sizeof records, 8);
        EXPECT_EQ(records, entries);
    }
}

// Closed in the midst of a commit or between two.
TEST_P(CheckpointedReport, LeavesTheCheckpointAloneOnceItIsClosed) {
    const auto slow = testing::faulty({10, 10, 2}, [](const FaultyCall&) {
        return Fault{0, std::chrono::microseconds(100), false};
    });
    for (int round = 0; round < 50; ++round) {
        const auto checkpoint =
            std::make_shared<Checkpoint>(path, ".csv", identity, true, milliseconds(0));
        FileReport report(slow, "t", {}, {.format = GetParam()}, checkpoint);
        std::this_thread::sleep_for(std::chrono::microseconds(200) * round);
        report.close();
        checkpoint->close();
        const std::set<std::string> left = names();
        std::this_thread::sleep_for(milliseconds(2));
        EXPECT_EQ(names(), left);
        EXPECT_TRUE(left.empty() || left.contains("lock"));
        fs::remove_all(path);
    }
}

TEST_F(CheckpointTest, PartsGoWhereTheKernelCannotCopy) {
    const auto checkpoint = open(false);
    commit(*checkpoint, "one\n", mark("a", 1));
    commit(*checkpoint, "two\n", mark("b", 2));
    std::array<int, 2> ends{};
    ASSERT_EQ(::pipe(ends.data()), 0);
    write_parts(*checkpoint, without_header, ends[1], "pipe", [] { return true; });
    ::close(ends[1]);
    std::array<char, 64> got{};
    EXPECT_EQ(::read(ends[0], got.data(), got.size()), 8);
    EXPECT_STREQ(got.data(), "one\ntwo\n");
    ::close(ends[0]);

    const int full = ::open("/dev/full", O_WRONLY | O_CLOEXEC);
    ASSERT_GE(full, 0);
    try {
        write_parts(*checkpoint, without_header, full, "full", [] { return true; });
        ADD_FAILURE() << "nothing was said of a full disk";
    } catch (const SystemError& error) {
        EXPECT_EQ(error.error(), ENOSPC);
        EXPECT_EQ(error.path(), "full");
    }
    EXPECT_THROW(write_parts(*checkpoint, without_header, full, "full", [] { return false; }),
                 SystemError);
    ::close(full);
}

}  // namespace
}  // namespace filetree
